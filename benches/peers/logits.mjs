// `node logits.mjs --packages DIR --model FILE [--threads N]`: llama.cpp's logits after each of the tokens whose ids come as JSON on
// standard input. Standard output gets a line with its version, and then float32 [tokens, vocabulary] in the machine's byte order.
//
// Keys and values are kept in f32 and attention does not round them either, so that what differs from f32 is the matmuls' doing.
import { once } from "node:events";
import { json } from "node:stream/consumers";
import { loadModel } from "./llama-cpp.mjs";
import { readOptions } from "./options.mjs";

/** Tokens at a time: each one's logits come as a map, which takes megabytes. */
const PIECE = 50;

const options = readOptions();
const { threads } = options;
const tokens = /** @type {number[]} */ (await json(process.stdin));
const { model, version } = await loadModel(options);
const context = await model.createContext({
  contextSize: tokens.length,
  threads,
  flashAttention: false,
  experimentalKvCacheKeyType: "F32",
  experimentalKvCacheValueType: "F32",
});
const sequence = context.getSequence();
await write(`${version}\n`);
for (let first = 0; first < tokens.length; first += PIECE) {
  const wanted = { generateNext: { logits: true } };
  const piece = tokens.slice(first, first + PIECE).map((token) => [token, wanted]);
  for (const { next } of await sequence.controlledEvaluate(piece)) {
    const row = new Float32Array(next.logits.size);
    for (const [token, logit] of next.logits) row[token] = logit;
    await write(new Uint8Array(row.buffer));
  }
}
process.stdout.end();
await once(process.stdout, "finish");
// Its threads would keep the process.
process.exit();

/** @param {string | Uint8Array} bytes */
async function write(bytes) {
  if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
}
