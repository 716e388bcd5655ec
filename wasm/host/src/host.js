// What the module needs of JavaScript beyond its imports: errors with a code, promises that end even if the module dies,
// and a signal that can be waited for.

/**
 * Called for each promise that the module still owes, if it panics.
 * @type {Set<(reason: Error) => void>}
 */
const owed = new Set();
/** @type {Error | undefined} */
let panic;

/**
 * An error whose name is the code that callers decide by.
 * @param {string} name
 * @param {string} message
 * @param {number} [retryAfterMs] when the same may succeed
 */
export function codedError(name, message, retryAfterMs) {
  return Object.assign(new Error(message), { name }, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/**
 * The promise, but rejected if the module panics: nobody would ever settle it then.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function owe(promise) {
  return new Promise((resolve, reject) => {
    if (panic) return reject(panic);
    owed.add(reject);
    promise.then(resolve, reject).finally(() => owed.delete(reject));
  });
}

/**
 * Called by the module with its last words.
 * @param {string} message
 */
export function reportPanic(message) {
  console.error(message);
  panic ??= codedError(
    "Internal",
    `The engine has failed and must be created again; this is a fault of inglenook, so please report it: ${message}`,
  );
  for (const reject of owed) reject(panic);
  owed.clear();
}

/**
 * Resolves when the signal is aborted.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A channel to oneself: browsers make a timer in a timer wait 4 ms, but not a message. @type {MessageChannel | undefined} */
let channel;
/** Called one a message. @type {(() => void)[]} */
const breaths = [];

/** Resolves once what waits in JavaScript's queue has been handled. */
export function breathe() {
  return new Promise((/** @type {(_: void) => void} */ resolve) => {
    // Where it exists; an open channel would keep such a runtime from ending.
    if ("setImmediate" in globalThis) return void setImmediate(resolve);
    if (!channel) {
      channel = new MessageChannel();
      channel.port1.onmessage = () => breaths.shift()?.();
    }
    breaths.push(resolve);
    channel.port2.postMessage(undefined);
  });
}
