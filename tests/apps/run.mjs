// `node run.mjs --tarball FILE --work FOLDER [--only NAME]`: every application of this folder, with the package installed from the
// tarball that would be published, built by its bundler, served as files, and asked a question in Chromium, in the page and in a worker
// of its own; and the same from the development server, where package.json has a script `dev`. Runtimes without pages print their answer.
// Adding an application = adding a folder with a package.json whose script `build` writes a site to `dist`, or whose script `answer`
// prints the result.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { openBrowser } from "../browser/lib/browsers.mjs";
import { mapPool } from "../browser/lib/pool.mjs";
import { serve } from "../browser/lib/server.mjs";

const EXPECTED = { free: "17 + 25 = 42.", form: "cold" };
/** What all applications share. */
const SHARED = ["answer.js", "app.js", "main.js", "own-worker.js", "print.js"];
const ANSWER_SECONDS = 60;
/** One waits for the registry, or for its page, while another builds. */
const AT_ONCE = 2;
const here = fileURLToPath(new URL(".", import.meta.url));

const { values } = parseArgs({
  options: { tarball: { type: "string" }, work: { type: "string" }, only: { type: "string", default: "" } },
});
if (!values.tarball || !values.work) throw new Error("--tarball and --work are needed: `cargo xtask apps` gives them");
const { tarball, work } = values;

const names = readdirSync(here).filter((name) => name.includes(values.only) && existsSync(join(here, name, "package.json")));
if (names.length === 0) throw new Error(`no application's name contains "${values.only}"`);

let [passed, failed] = [0, 0];
const browser = await openBrowser("chromium");
await mapPool(names, AT_ONCE, async (name) => {
  const { answer, dev } = scripts(name);
  await report(name, async () => {
    const folder = await install(name);
    await (answer ? print(folder) : build(folder));
  });
  if (dev) await report(`${name}, development server`, () => develop(join(work, name)));
});
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * @param {string} what
 * @param {() => Promise<void>} step
 */
async function report(what, step) {
  const started = performance.now();
  const problem = await step().then(() => undefined, (error) => error);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (problem === undefined) passed += 1;
  else failed += 1;
  console.log(`${problem === undefined ? "ok    " : "FAILED"} ${what} (${seconds} s)`);
  if (problem !== undefined) console.log(String(problem.stderr || problem.stdout || problem.stack).replace(/^/gm, "         "));
}

/**
 * A copy of the application with its packages, which are kept for as long as its lock file is the same, and with ours anew.
 * @param {string} name
 */
async function install(name) {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder)) if (entry !== "node_modules") rmSync(join(folder, entry), { recursive: true });
  cpSync(join(here, name), folder, { recursive: true, filter: (path) => !/[/\\](node_modules|dist)$/.test(path) });
  for (const file of SHARED) cpSync(join(here, file), join(folder, file));
  const stamp = join(folder, "node_modules/.lock-hash");
  const hash = createHash("sha256").update(readFileSync(join(folder, "package-lock.json"))).digest("hex");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) {
    await npm(folder, "ci", "--ignore-scripts");
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    writeFileSync(stamp, hash);
  }
  // What a bundler keeps of an older build of the package would hide the new one.
  for (const cache of [".vite", ".cache"]) rmSync(join(folder, "node_modules", cache), { recursive: true, force: true });
  await npm(folder, "install", "--no-save", "--no-package-lock", "--ignore-scripts", tarball);
  if (statSync(join(folder, "node_modules/inglenook"), { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Error(`the package was not installed into ${folder}`);
  }
  return folder;
}

/** @param {string} folder */
async function print(folder) {
  const { stdout } = await npm(folder, "run", "answer");
  judge(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""), EXPECTED);
}

/** @param {string} folder */
async function build(folder) {
  await npm(folder, "run", "build");
  const server = await serve(join(folder, "dist"));
  await check(server.address).finally(server.close);
}

/** @param {string} folder */
async function develop(folder) {
  const port = await freePort();
  // Its own group, so that the server ends with npm, which starts it.
  const server = spawn("npm", ["run", "dev", "--", String(port)], { cwd: folder, stdio: ["ignore", "pipe", "pipe"], detached: true });
  try {
    // By this name: Next refuses others in development.
    const address = `http://localhost:${port}`;
    await answersTo(server, address);
    await check(address);
  } finally {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid);
  }
}

/**
 * @param {import("node:child_process").ChildProcess} server
 * @param {string} address
 */
async function answersTo(server, address) {
  let said = "";
  server.stdout?.on("data", (text) => (said += text));
  server.stderr?.on("data", (text) => (said += text));
  for (let i = 0; i < 150; i += 1) {
    if (server.exitCode !== null) break;
    if (await fetch(address).then((response) => response.ok, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the development server does not answer:\n${said}`);
}

/** @param {string} address of a page that runs app.js */
async function check(address) {
  /** @type {string[]} */
  const lines = [];
  const page = await browser.openPage(address, (line) => lines.push(line));
  try {
    await page.driver.waitForFunction("window.result !== undefined", undefined, { timeout: ANSWER_SECONDS * 1000 });
    judge(await page.evaluate("window.result"), { page: EXPECTED, worker: EXPECTED });
  } catch (error) {
    throw new Error([String(error), ...lines].join("\n"));
  } finally {
    await page.close();
  }
}

/**
 * @param {unknown} result
 * @param {unknown} expected
 */
function judge(result, expected) {
  if (JSON.stringify(result) !== JSON.stringify(expected)) throw new Error(`the answer was ${JSON.stringify(result)}`);
}

/** @param {string} name */
function scripts(name) {
  return JSON.parse(readFileSync(join(here, name, "package.json"), "utf8")).scripts;
}

/**
 * @param {string} folder
 * @param {string[]} args
 */
async function npm(folder, ...args) {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  return promisify(execFile)("npm", [...args, ...quiet], {
    cwd: folder,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
    maxBuffer: 1 << 26,
  });
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}
