// Runs the cases that are for an environment, one after the other.
import { spawn } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { openBrowser, swiftshaderManifest } from "./browsers.mjs";
import { runCase } from "./harness.mjs";

/**
 * @typedef {"chromium" | "firefox" | "node"} Environment
 * @typedef {"page" | "any" | "drive"} Kind
 * @typedef {{ name: string, kind: Kind, file: string, path: string }} Case `file` on disk, `path` on the server
 * @typedef {{ address: string, full: boolean }} Context what all cases get: the server's address, and whether to be thorough
 * @typedef {import("./harness.mjs").Result & { environment: Environment, name: string, console: string[] }} CaseResult
 */

/** A page that does not even answer is given up after this; a case's own limit is shorter. */
const HANG_SECONDS = 900;

/** Where each kind of case runs. @type {Record<Kind, Environment[]>} */
const RUNS_IN = {
  page: ["chromium", "firefox"],
  any: ["chromium", "firefox", "node"],
  drive: ["chromium", "firefox"],
};

/**
 * @param {Environment} environment
 * @param {Case[]} cases
 * @param {Context} context
 * @param {(result: CaseResult) => void} report called after each case
 */
export async function runCases(environment, cases, context, report) {
  const own = cases.filter((one) => RUNS_IN[one.kind].includes(environment));
  if (own.length === 0) return;
  if (environment === "node") {
    for (const one of own) report(await runInNode(one, context));
    return;
  }
  for (const one of own) {
    // A browser a case: about a second, and no case can leave anything behind for the next.
    const browser = await openBrowser(environment);
    const run = one.kind === "drive" ? runDriven : runInPage;
    try {
      report(await run(browser, one, context));
    } finally {
      await browser.close();
    }
  }
}

/**
 * @param {import("./browsers.mjs").Browser} browser
 * @param {Case} one
 * @param {Context} context
 * @returns {Promise<CaseResult>}
 */
async function runInPage(browser, one, context) {
  /** @type {string[]} */
  const lines = [];
  const about = { environment: browser.name, name: one.name, console: lines };
  try {
    const page = await browser.openPage(`${context.address}/tests/browser/page.html`, (line) => lines.push(line));
    await page.ready();
    const given = { environment: browser.name, ...context };
    const call = `window.runCasePath(${JSON.stringify(one.path)}, ${JSON.stringify(given)})`;
    return { ...about, ...(await orHang(page.evaluate(call))) };
  } catch (error) {
    return { ...about, passed: false, message: String(error), notes: {}, milliseconds: 0 };
  }
}

/**
 * @param {import("./browsers.mjs").Browser} browser
 * @param {Case} one
 * @param {Context} context
 * @returns {Promise<CaseResult>}
 */
async function runDriven(browser, one, context) {
  /** @type {string[]} */
  const lines = [];
  const openPage = (/** @type {string} */ url) => browser.openPage(url, (line) => lines.push(line));
  const module = await import(pathToFileURL(one.file).href);
  const result = await runCase(module, /** @type {any} */ ({ environment: browser.name, ...context, browser, openPage }));
  return { ...result, environment: browser.name, name: one.name, console: lines };
}

/**
 * @param {Case} one
 * @param {Context} context
 * @returns {Promise<CaseResult>}
 */
function runInNode(one, context) {
  const script = fileURLToPath(new URL("node-case.mjs", import.meta.url));
  const manifest = process.env.INGLENOOK_REAL_GPU === "1" ? undefined : swiftshaderManifest();
  const driver = manifest && { VK_ICD_FILENAMES: manifest, VK_DRIVER_FILES: manifest };
  const child = spawn(process.execPath, [script, one.file, JSON.stringify(context)], { env: { ...process.env, ...driver } });
  const timer = setTimeout(() => child.kill(), HANG_SECONDS * 1000);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  return new Promise((done) => {
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const lines = out.trimEnd().split("\n");
      const about = { environment: /** @type {const} */ ("node"), name: one.name };
      try {
        const result = JSON.parse(lines.pop() ?? "");
        done({ ...about, ...result, console: [...lines, err].filter(Boolean) });
      } catch {
        const message = `Node ended with ${signal ?? `code ${code}`} before it gave a result\n${err}`;
        done({ ...about, passed: false, message, notes: {}, milliseconds: 0, console: lines });
      }
    });
  });
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function orHang(promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const hang = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the page did not answer within ${HANG_SECONDS} s`)), HANG_SECONDS * 1000);
  });
  return /** @type {Promise<T>} */ (Promise.race([promise, hang])).finally(() => clearTimeout(timer));
}
