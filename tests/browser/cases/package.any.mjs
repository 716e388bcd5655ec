// What the npm package does beside plain answers, on both real modules, in browsers and in Node: tokens there and back, the prompt of
// a request, answers of a form, calls of tools, and what must not be said.

export const timeoutSeconds = 300;

const OPPOSITE = { messages: [{ role: "user", content: "What is the opposite of hot?" }], temperature: 0 };
const TIME = { messages: [{ role: "user", content: "What time is it in Paris?" }], temperature: 0 };
const GET_TIME = {
  name: "get_time",
  description: "Get the current time in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const WILD = { messages: OPPOSITE.messages, temperature: 1.5, max_tokens: 200 };

/** @param {import("../lib/harness.mjs").Check} t */
export default async function (t) {
  const entry = t.environment === "node" ? "node.js" : "index.js";
  const { createEngine } = await import(`../../../npm/dist/${entry}`);
  const engine = await createEngine({ model: "ember", device: "gpu" });
  await tokens(t, engine);
  await prompts(t, engine);
  await refusals(t, engine);
  await rules(t, engine);
  await forms(t, engine);
  await calls(t, engine);
  await engine.close();
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function tokens(t, engine) {
  const text = "Once upon a time: 17 + 25, é🔥<|im_end|>\n";
  const [plain, special] = [await engine.tokenize(text), await engine.tokenize(text, { special: true })];
  t.equal([await engine.detokenize(plain), await engine.detokenize(special)], [text, text], "the text of its tokens");
  t.ok(special.length < plain.length, "the name of a special token to be one token only where that is asked for");
  t.equal(await engine.countTokens(text), plain.length, "the count of its tokens");
  const places = await engine.tokenizeWithOffsets(text);
  t.equal(places.map((/** @type {any} */ { id }) => id), [...plain], "the ids with offsets");
  t.equal(places.at(-1).end, text.length, "the end of the last token, in UTF-16");
  const fire = places.filter((/** @type {any} */ { start, end }) => text.slice(start, end).includes("🔥"));
  t.ok(fire.length > 0, "a token of the emoji");
  const unknown = await engine.detokenize([4_000_000_000]).catch((/** @type {any} */ error) => error);
  t.equal(unknown.code, "BadRequest", "the code of an id that no token has");
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function prompts(t, engine) {
  const question = "<|im_start|>user\nWhat is the opposite of hot?<|im_end|>\n";
  const prompt = (/** @type {object} */ options) => engine.applyChatTemplate({ ...OPPOSITE, ...options });
  t.equal(await prompt({}), `${question}<|im_start|>assistant\n`, "the prompt");
  t.equal(await prompt({ add_generation_prompt: false }), question, "the prompt without the beginning of an answer");
  const begun = [...OPPOSITE.messages, { role: "assistant", content: "The opposite of hot is" }];
  const continued = await prompt({ messages: begun, continue_final_message: true });
  t.equal(continued, `${question}<|im_start|>assistant\nThe opposite of hot is`, "the prompt that goes on with an answer");
  const text = (/** @type {string} */ text) => ({ type: "text", text });
  const parts = { messages: [{ role: "user", content: [text("What is"), text("2 + 3?")] }], add_generation_prompt: false };
  t.equal(await prompt(parts), "<|im_start|>user\nWhat is\n2 + 3?<|im_end|>\n", "the prompt of a message in parts");
  const image = { type: "image_url", image_url: { url: "data:image/png;base64," } };
  const unseen = await engine.chat.completions
    .create({ messages: [{ role: "user", content: [text("What is this?"), image] }] })
    .catch((/** @type {any} */ error) => error);
  t.ok(unseen.code === "Unsupported" && unseen.message.includes("image_url"), `an image to be refused: ${unseen}`);
  const unknown = await prompt({ chat_template: "no such template" }).catch((/** @type {any} */ error) => error);
  t.ok(unknown instanceof Error && unknown.message.includes("no such template"), `an unknown template to be named: ${unknown}`);
}

/**
 * The engine checks what requests hold, and both kinds of answers are refused before they begin.
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function refusals(t, engine) {
  /** @type {[object, string, string][]} */
  const cases = [
    [{ max_token: 5 }, "Unsupported", "did you mean `max_tokens`?"],
    [{ temperature: "hot" }, "BadRequest", "temperature"],
    [{ temperature: -1 }, "BadRequest", "`temperature` is -1"],
    [{ messages: [{ role: "user", content: 5 }] }, "BadRequest", "content"],
    [{ tools: [{ type: "custom", custom: { name: "f" } }] }, "Unsupported", "tools[0]"],
  ];
  for (const stream of [false, true]) {
    for (const [options, code, named] of cases) {
      const refused = await engine.chat.completions
        .create({ ...OPPOSITE, ...options, stream })
        .catch((/** @type {any} */ error) => error);
      t.equal(refused.code, code, `the code of ${JSON.stringify(options)}`);
      t.ok(String(refused.message).includes(named), `the message to say ${named}: ${refused.message}`);
    }
  }
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function rules(t, engine) {
  const said = async (/** @type {object} */ options) => {
    const { choices } = await engine.chat.completions.create({ ...OPPOSITE, ...options });
    return [choices[0].message.content, choices[0].finish_reason];
  };
  t.equal(await said({}), ["The opposite of hot is cold.", "stop"], "the answer that rules are tried on");
  t.equal(await said({ stop: [" is co"] }), ["The opposite of hot", "stop"], "what is before a stop string");
  const masked = await said({ content_rules: [{ match: /H.T|c\wld/i, action: "mask", mask: "***" }] });
  t.equal(masked, ["The opposite of *** is ***.", "stop"], "what is masked");
  const ended = await said({ content_rules: [{ match: "cold" }] });
  t.equal(ended, ["The opposite of hot is ", "content_filter"], "what is before a forbidden text");
  const filter = (/** @type {string} */ word) => (word.includes("cold") ? false : word.replace("hot", "warm"));
  const filtered = await said({ content_filter: filter, segment: "word" });
  t.equal([filtered[0].trimEnd(), filtered[1]], ["The opposite of warm is", "content_filter"], "what a filter lets pass");
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function forms(t, engine) {
  const said = async (/** @type {object} */ response_format, request = WILD) => {
    const { choices } = await engine.chat.completions.create({ ...request, response_format });
    const [{ message, finish_reason }] = choices;
    t.equal(finish_reason, "stop", `how an answer of ${JSON.stringify(response_format)} ends, ${message.content},`);
    return message.content;
  };
  const choice = await said({ type: "choice", choices: ["north", "south"] });
  t.ok(["north", "south"].includes(choice), `one of two texts, not ${choice}`);
  const number = await said({ type: "regex", regex: /[0-9]{3}-[0-9]{4}/ });
  t.ok(/^[0-9]{3}-[0-9]{4}$/.test(number), `a number, not ${number}`);
  // Bounded, since ember would go on adding until its tokens are used up.
  const sum = await said({ type: "gbnf", grammar: 'root ::= [1-9] ("+" [1-9]){1,9} "=" [0-9]' });
  t.ok(/^[1-9](\+[1-9]){1,9}=[0-9]$/.test(sum), `a sum, not ${sum}`);
  const triggered = await said({ type: "choice", choices: ["A", "B"], trigger: "hot is " }, { ...OPPOSITE, max_tokens: 40 });
  t.ok(/^The opposite of hot is [AB]$/.test(triggered), `free text and then a letter, not ${triggered}`);
  const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false };
  const document = JSON.parse(await said({ type: "json_schema", json_schema: { name: "n", schema } }));
  t.ok(Number.isInteger(document.n), `an integer, not ${JSON.stringify(document)}`);
  const refused = await engine.chat.completions
    .create({ ...WILD, response_format: { type: "lark", grammar: "start: (" } })
    .catch((/** @type {any} */ error) => error);
  t.equal(refused.code, "BadRequest", "the code of a grammar that is none");
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {any} engine
 */
async function calls(t, engine) {
  const signature = { type: "function", function: GET_TIME };
  const named = { type: "function", function: { name: GET_TIME.name } };
  for (const choice of [{ tool_choice: "required" }, { tool_choice: named }, {}]) {
    const { choices } = await engine.chat.completions.create({ ...TIME, ...choice, tools: [signature] });
    const [{ message, finish_reason }] = choices;
    const made = message.tool_calls?.map((/** @type {any} */ call) => [call.function.name, JSON.parse(call.function.arguments)]);
    t.equal([made, finish_reason], [[["get_time", { city: "Paris" }]], "tool_calls"], `the call under ${JSON.stringify(choice)}`);
  }
  const runnable = { type: "function", function: { ...GET_TIME, function: () => ({ time: "14:05" }) } };
  const run = engine.chat.completions.runTools({ ...TIME, tools: [runnable] });
  for await (const event of run) if (event.type === "result") t.equal(event.content, '{"time":"14:05"}', "the result");
  t.equal(run.messages.at(-1).content, "It is 14:05 in Paris.", "the answer with it");
}
