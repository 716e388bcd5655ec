// Runs one case and turns whatever happens into a result. Runs inside the page, inside Node, and around driven cases.

/**
 * @typedef {object} Result
 * @property {boolean} passed
 * @property {string} [message] what was wrong
 * @property {Record<string, unknown>} notes what the case found worth telling
 * @property {number} milliseconds
 *
 * @typedef {object} Check what a case gets as `t`
 * @property {string} environment "chromium", "firefox" or "node"
 * @property {string} address of the server that serves the repository's root, without a slash at its end
 * @property {boolean} full whether to take all of a large set of files, and not a few of them
 * @property {(condition: unknown, what: string) => void} ok
 * @property {(actual: unknown, expected: unknown, what: string) => void} equal compares by JSON
 * @property {(actual: number, expected: number, tolerance: number, what: string) => void} close absolute tolerance
 * @property {(name: string, value: unknown) => void} note
 *
 * @typedef {object} Driver what a driven case gets besides
 * @property {import("./browsers.mjs").Browser} browser
 * @property {(url: string) => Promise<import("./browsers.mjs").Page>} openPage its console is shown if the case fails
 *
 * @typedef {Check & Driver} DrivenCheck
 */

const DEFAULT_TIMEOUT_SECONDS = 120;

/**
 * @param {{ default: (t: any) => unknown, timeoutSeconds?: number }} module a case: its function and, if it needs longer, its limit
 * @param {{ environment: string, address: string, full: boolean }} context what else the case gets; more fields pass through to it
 * @returns {Promise<Result>}
 */
export async function runCase(module, context) {
  /** @type {Record<string, unknown>} */
  const notes = {};
  const started = performance.now();
  const seconds = module.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000);
  });
  /** @type {Result} */
  const result = { passed: true, notes, milliseconds: 0 };
  try {
    await Promise.race([module.default({ ...context, ...checks(notes) }), limit]);
  } catch (error) {
    result.passed = false;
    result.message = describe(error);
  }
  clearTimeout(timer);
  result.milliseconds = Math.round(performance.now() - started);
  return result;
}

/**
 * The error with its stack. V8's stacks begin with the message, Firefox's do not.
 * @param {unknown} error
 */
function describe(error) {
  if (!(error instanceof Error)) return String(error);
  const head = `${error.name}: ${error.message}`;
  const stack = error.stack ?? "";
  return stack.startsWith(head) ? stack : `${head}\n${stack}`;
}

/** @param {Record<string, unknown>} notes */
function checks(notes) {
  const ok = (/** @type {unknown} */ condition, /** @type {string} */ what) => {
    if (!condition) throw new Error(`expected: ${what}`);
  };
  const equal = (/** @type {unknown} */ actual, /** @type {unknown} */ expected, /** @type {string} */ what) => {
    const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
    ok(left === right, `${what} to be ${right}, not ${left}`);
  };
  const close = (
    /** @type {number} */ actual,
    /** @type {number} */ expected,
    /** @type {number} */ tolerance,
    /** @type {string} */ what,
  ) => {
    // Written so that NaN fails.
    ok(Math.abs(actual - expected) <= tolerance, `${what} to be ${expected} ± ${tolerance}, not ${actual}`);
  };
  const note = (/** @type {string} */ name, /** @type {unknown} */ value) => {
    notes[name] = value;
  };
  return { ok, equal, close, note };
}
