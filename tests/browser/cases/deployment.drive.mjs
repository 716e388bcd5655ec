// Pages as people deploy them: files that are missing or served oddly, another origin, policies, plain http. Each answers, or ends
// with an error that says what to change.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { openBrowser } from "../lib/browsers.mjs";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 300;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const LIBRARY = "/npm/dist/index.js";
const ASSETS = "/npm/dist/inglenook/";
const PAGE = "/tests/browser/deployed.html";
const ANSWER = "cold";
const CPU = `${ROOT}${ASSETS}inglenook-cpu.wasm`;
const CPU_RELAXED = `${ROOT}${ASSETS}inglenook-cpu-relaxed.wasm`;

const policy = (/** @type {string} */ text) => ({ "content-security-policy": text });
const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src data:";
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const CREDENTIALLESS = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "credentialless" };
const SHARED = { "access-control-allow-origin": "*" };
const MISSING = "/no/such/file";
/** What the library uses only where it is there: see npm/src/browsers.test.ts. */
const NEWER = [
  "AbortSignal.any",
  "AbortSignal.prototype.reason",
  "ArrayBuffer.prototype.transfer",
  "ReadableStreamBYOBReader",
  "String.prototype.toWellFormed",
  "crypto.__proto__.randomUUID",
  "navigator.__proto__.gpu",
];

/**
 * @typedef {{ text?: string, reason?: string, driver?: string, isolated?: boolean, code?: string, message?: string }} Result what came of it in the page
 *
 * @typedef {object} Deployment
 * @property {string} name
 * @property {Record<string, string>} [files] what is served in the place of other paths
 * @property {(path: string) => Record<string, string>} [headers]
 * @property {(path: string) => Record<string, string>} [foreign] headers of a second origin, which the library then comes from
 * @property {object} [options] for `createEngine`
 * @property {string[]} [without] what the page's browser does not have; workers keep theirs
 * @property {string} [host] the page's, instead of 127.0.0.1
 * @property {RegExp} [reason] what `info.reason` says of where the answer comes from
 * @property {RegExp} [driver] what `info.adapter.driver` says, by which instructions the CPU computes
 * @property {RegExp} [refused] what the error's message says; without it, an answer comes
 * @property {string} [code] of that error
 */

/** @type {Deployment[]} */
const DEPLOYMENTS = [
  { name: "a server that knows no type for .wasm", headers: typed(".wasm", "application/octet-stream") },
  { name: "a server that calls .wasm a text", headers: typed(".wasm", "text/plain") },
  { name: "files of the package in a folder of their own", files: moved("/static/ai/"), options: { assetsUrl: "/static/ai" } },
  { name: "no .wasm", files: { [`${ASSETS}inglenook.wasm`]: MISSING }, refused: /HTTP 404.*inglenook\.wasm.*assetsUrl/ },
  { name: "a page for .wasm", files: { [`${ASSETS}inglenook.wasm`]: `${ROOT}${PAGE}` }, refused: /text\/html.*inglenook\.wasm/ },
  { name: "a text for .wasm", files: { [`${ASSETS}inglenook.wasm`]: `${ROOT}npm/package.json` }, refused: /is no WebAssembly/ },
  { name: "a .wasm cut off", files: { [`${ASSETS}inglenook.wasm`]: `${ROOT}target/cut.wasm` }, refused: /damaged/ },
  { name: "no second .wasm", files: { [`${ASSETS}inglenook-grammar.wasm`]: MISSING }, refused: /HTTP 404.*grammar\.wasm/ },
  { name: "no module for the CPU", files: forCpu(MISSING, MISSING), reason: /the CPU was asked for; slowly.*HTTP 404.*cpu\.wasm/ },
  { name: "a damaged module for the CPU", files: forCpu(`${ROOT}target/cut.wasm`, MISSING), reason: /slowly.*damaged/ },
  { name: "one module for the CPU, on all processors", files: forCpu(CPU, CPU), driver: /^WebAssembly SIMD/ },
  { name: "the module for processors that multiply bytes, on all", files: forCpu(CPU_RELAXED, CPU_RELAXED), driver: /^relaxed WebAssembly SIMD/ },
  { name: "no module for processors that multiply bytes", files: forCpu(CPU, MISSING), driver: /^WebAssembly SIMD/ },
  { name: "a damaged module for processors that multiply bytes", files: forCpu(CPU, `${ROOT}target/cut.wasm`), driver: /^WebAssembly SIMD/ },
  { name: "no model", files: { [`${ASSETS}ember-q8_0.gguf`]: MISSING }, refused: /HTTP 404.*ember/ },
  { name: "a page for the model", files: { [`${ASSETS}ember-q8_0.gguf`]: `${ROOT}${PAGE}` }, refused: /text\/html.*ember/ },
  { name: "no worker", files: { [`${ASSETS}worker.js`]: MISSING }, refused: /HTTP 404.*worker\.js.*copied/ },
  { name: "a page for the worker", files: { [`${ASSETS}worker.js`]: `${ROOT}${PAGE}` }, refused: /text\/html.*worker\.js/ },
  { name: "no worker, and none wanted", files: { [`${ASSETS}worker.js`]: MISSING }, options: { worker: false } },
  { name: "another origin", foreign: () => SHARED },
  { name: "another origin, isolated", headers: () => ISOLATED, foreign: () => SHARED },
  { name: "another origin, credentialless", headers: () => CREDENTIALLESS, foreign: () => SHARED },
  {
    name: "another origin that shares its modules only",
    foreign: (path) => (path.endsWith(".js") && !path.endsWith("/inglenook/worker.js") ? SHARED : {}),
    code: "Download",
    refused: /worker\.js.*CORS/,
  },
  { name: "isolated", headers: () => ISOLATED },
  { name: "isolated, the worker's script without the header", headers: (path) => (path === PAGE ? ISOLATED : {}) },
  {
    name: "isolated, the worker's script without the header, under a strict policy",
    headers: (path) => (path === PAGE ? { ...ISOLATED, ...policy(STRICT) } : {}),
    refused: /worker\.js.*Cross-Origin-Embedder-Policy/,
  },
  { name: "credentialless", headers: () => CREDENTIALLESS },
  { name: "a strict policy", headers: () => policy(STRICT) },
  { name: "a strict policy on the page alone", headers: (path) => (path === PAGE ? policy(STRICT) : {}) },
  { name: "trusted types", headers: () => policy(`${STRICT}; require-trusted-types-for 'script'`) },
  { name: "trusted types of ours", headers: () => policy(`${STRICT}; require-trusted-types-for 'script'; trusted-types app inglenook`) },
  { name: "trusted types of others, not enforced", headers: () => policy(`${STRICT}; trusted-types app`) },
  {
    name: "trusted types of others alone",
    headers: () => policy(`${STRICT}; require-trusted-types-for 'script'; trusted-types app`),
    refused: /worker\.js.*inglenook.*trusted-types/,
  },
  {
    name: "a policy without workers",
    headers: () => policy(STRICT.replace("worker-src 'self'", "worker-src 'none'")),
    refused: /worker.*'self'.*worker-src/,
  },
  {
    name: "a policy without workers, and none wanted",
    headers: () => policy(STRICT.replace("worker-src 'self'", "worker-src 'none'")),
    options: { worker: false },
  },
  {
    name: "a policy without WebAssembly",
    headers: () => policy(STRICT.replace(" 'wasm-unsafe-eval'", "")),
    refused: /'wasm-unsafe-eval'.*script-src/,
  },
  {
    name: "a policy without connections",
    headers: () => policy(STRICT.replace("connect-src 'self'", "connect-src 'none'")),
    refused: /'self'.*connect-src/,
  },
  {
    name: "another origin under a policy without blob:",
    headers: () => policy(STRICT.replaceAll("'self'", "'self' http://127.0.0.1:*")),
    foreign: () => SHARED,
    refused: /blob:.*worker-src/,
  },
  {
    name: "another origin under a policy with blob:",
    headers: () => policy(STRICT.replaceAll("'self'", "'self' http://127.0.0.1:*").replace("worker-src", "worker-src blob:")),
    foreign: () => SHARED,
  },
  { name: "a browser as old as it may be", without: NEWER, options: { worker: false } },
  { name: "a browser without workers", without: ["Worker"] },
  { name: "a browser without WebAssembly", without: ["WebAssembly"], options: { worker: false }, refused: /no WebAssembly/ },
  { name: "plain http", host: "app.example" },
  { name: "plain http, in the page's own thread", host: "app.example", options: { worker: false } },
  { name: "plain http, with the GPU", host: "app.example", options: { device: "gpu" }, refused: /secure context.*https:/ },
];

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const whole = await readFile(`${ROOT}${ASSETS}inglenook.wasm`);
  await mkdir(`${ROOT}target`, { recursive: true });
  // Renamed, so that another browser's case never sees a part of it.
  await writeFile(`${ROOT}target/cut.${t.environment}`, whole.subarray(0, whole.length >> 1));
  await rename(`${ROOT}target/cut.${t.environment}`, `${ROOT}target/cut.wasm`);
  const wrong = [];
  for (const deployment of DEPLOYMENTS) {
    const result = await outcome(t, deployment);
    const problem = judge(deployment, result);
    if (problem !== undefined) wrong.push(`${deployment.name}: ${problem}`);
    if (result.code) t.note(deployment.name, `${result.code}: ${result.message}`);
  }
  t.ok(wrong.length === 0, `all deployments to be as they should, but\n${wrong.join("\n")}`);
}

/**
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @param {Deployment} deployment
 * @returns {Promise<Result>}
 */
async function outcome(t, { files, headers, foreign, options, host, without = [] }) {
  const server = await serve(ROOT, files, undefined, headers);
  const other = foreign && (await serve(ROOT, files, undefined, foreign));
  const browser = host === undefined ? undefined : await openBrowser(t.browser.name, { host });
  try {
    const address = host === undefined ? server.address : server.address.replace("127.0.0.1", host);
    const given = { library: `${other?.address ?? ""}${LIBRARY}`, options, without };
    const url = `${address}${PAGE}#${encodeURIComponent(JSON.stringify(given))}`;
    const page = browser === undefined ? await t.openPage(url) : await browser.openPage(url);
    const result = await resultOf(page);
    await page.close();
    return result;
  } finally {
    await browser?.close();
    await server.close();
    await other?.close();
  }
}

/**
 * Asked again and again from outside: a strict policy forbids the page to evaluate what `page.ready` would have it wait for.
 * @param {import("../lib/browsers.mjs").Page} page
 */
async function resultOf(page) {
  for (let i = 0; i < 300; i += 1) {
    const result = await page.evaluate("window.result ?? null");
    if (result !== null) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the page came to no result");
}

/**
 * @param {Deployment} deployment
 * @param {Result} result
 */
function judge({ headers, refused, reason = /^[^;]*$/, driver = /./, code = "Deployment" }, { text, isolated, reason: told = "", ...rest }) {
  const { driver: by = "", ...error } = rest;
  const askedToBe = headers?.(PAGE)["cross-origin-opener-policy"] !== undefined;
  if (text !== undefined && isolated !== askedToBe) return `a page that is ${isolated ? "" : "not "}isolated`;
  if (text === ANSWER && !reason.test(told)) return `a reason that does not say ${reason}: ${told}`;
  if (text === ANSWER && !driver.test(by)) return `instructions that are not ${driver}: ${by}`;
  if (refused === undefined) return text === ANSWER ? undefined : `no answer but ${JSON.stringify({ text, ...error })}`;
  if (text !== undefined) return `an answer where an error was due: ${text}`;
  if (error.code !== code) return `the code ${error.code} instead of ${code}: ${error.message}`;
  return refused.test(error.message ?? "") ? undefined : `a message that does not say ${refused}: ${error.message}`;
}

/**
 * @param {string} ending
 * @param {string} type
 * @returns {(path: string) => Record<string, string>}
 */
function typed(ending, type) {
  return (path) => /** @type {Record<string, string>} */ (path.endsWith(ending) ? { "content-type": type } : {});
}

/**
 * @param {string} plain what is served for any processor
 * @param {string} relaxed what is served for one that multiplies bytes
 */
function forCpu(plain, relaxed) {
  return { [`${ASSETS}inglenook-cpu.wasm`]: plain, [`${ASSETS}inglenook-cpu-relaxed.wasm`]: relaxed };
}

/** @param {string} folder where the package's files are served, and nowhere else */
function moved(folder) {
  const modules = ["inglenook.wasm", "inglenook-grammar.wasm", "inglenook-convert.wasm", "inglenook-cpu.wasm", "inglenook-cpu-relaxed.wasm"];
  const names = ["worker.js", ...modules, "ember-q8_0.gguf"];
  return Object.fromEntries(
    names.flatMap((name) => [[`${folder}${name}`, `${ROOT}${ASSETS}${name}`], [`${ASSETS}${name}`, MISSING]]),
  );
}
