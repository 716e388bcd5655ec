// The built npm package, as a user's program has it.

/**
 * `createEngine` of the entry that this environment takes.
 * @param {{ environment: string }} t
 * @returns {Promise<(options: object) => Promise<any>>}
 */
export async function packageEngine(t) {
  const entry = t.environment === "node" ? "node.js" : "index.js";
  const { createEngine } = await import(`../../../npm/dist/${entry}`);
  return createEngine;
}

/**
 * The engine's answer to one question.
 * @param {any} engine
 * @param {string} question
 * @param {object} [options] more of the request
 */
export async function ask(engine, question, options = {}) {
  const { choices, usage } = await engine.chat.completions.create({ messages: [{ role: "user", content: question }], ...options });
  return { text: choices[0].message.content, reason: choices[0].finish_reason, tokens: usage.completion_tokens };
}
