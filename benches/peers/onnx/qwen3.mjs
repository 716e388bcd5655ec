// The ONNX graph of a Qwen3 model with Q4_0 weights, as they are or as floats. It is composed as model builders for onnxruntime compose it:
// fused attention with rotary embedding, fused residuals, and logits of the last token alone.
import { closeSync, openSync, readFileSync, writevSync } from "node:fs";
import { GraphBuilder } from "./builder.mjs";
import { readGguf } from "./gguf.mjs";
import { FLOAT, INT32, INT64, model, tensor, value } from "./protobuf.mjs";

/** Rows of the tables of angles: tokens that a sequence may have. */
const POSITIONS = 2048;
/** Pieces that are written at once; systems allow no more than 1024. */
const WRITTEN = 512;

/**
 * @param {string} gguf a file
 * @param {string} onnx the file to write
 * @param {boolean} asFloats whether matrices are unpacked
 */
export function convert(gguf, onnx, asFloats) {
  const pieces = graph(readGguf(readFileSync(gguf)), asFloats);
  const file = openSync(onnx, "w");
  for (let at = 0; at < pieces.length; at += WRITTEN) writevSync(file, pieces.slice(at, at + WRITTEN));
  closeSync(file);
}

/**
 * @param {ReturnType<typeof readGguf>} gguf
 * @param {boolean} asFloats
 */
function graph({ numbers, tensors }, asFloats) {
  const number = (/** @type {string} */ name) => {
    const found = numbers[`qwen3.${name}`];
    if (found === undefined) throw new Error(`the file has no qwen3.${name}`);
    return found;
  };
  const [layers, heads, kvHeads] = [number("block_count"), number("attention.head_count"), number("attention.head_count_kv")];
  const headDim = number("attention.key_length");
  const builder = new GraphBuilder(tensors, number("attention.layer_norm_rms_epsilon"), asFloats);
  const shapes = {
    heads: builder.constant("by head", [1, -1, headDim]),
    queries: builder.constant("queries", [1, -1, heads * headDim]),
    keys: builder.constant("keys", [1, -1, kvHeads * headDim]),
  };
  builder.tensors.push(...rotary(headDim, number("rope.freq_base")));

  const { rows: embedded, count: vocabulary } = builder.rows("ids", "token_embd");
  let [residual, x] = [embedded, builder.norm(embedded, "blk.0.attn_norm")];
  for (let i = 0; i < layers; i += 1) {
    const attended = attention(builder, x, i, shapes, { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1 });
    const before = builder.addAndNorm(residual, attended, `blk.${i}.ffn_norm`);
    const next = i + 1 < layers ? `blk.${i + 1}.attn_norm` : "output_norm";
    const after = builder.addAndNorm(before.sum, feedForward(builder, before.normed, `blk.${i}`), next);
    [residual, x] = [after.sum, after.normed];
  }
  const last = builder.add("Gather", [x, builder.constant("end", [-1])], "last hidden", { axis: 1 });
  builder.times(last, "token_embd", "logits");

  const caches = Array.from({ length: layers }, (_, i) => i).flatMap(cacheNames);
  const cache = (/** @type {"past" | "present"} */ time) => caches.map((names) => value(names[time], FLOAT, [1, kvHeads, time, headDim]));
  const inputs = [value("ids", INT64, [1, "tokens"]), value("last", INT32, [1]), value("total", INT32, [1]), ...cache("past")];
  const outputs = [value("logits", FLOAT, [1, 1, vocabulary]), ...cache("present")];
  return model({ nodes: builder.nodes, tensors: builder.tensors, inputs, outputs });
}

/**
 * @param {GraphBuilder} builder
 * @param {string} x
 * @param {number} layer
 * @param {{ heads: string, queries: string, keys: string }} shapes
 * @param {import("./protobuf.mjs").Attributes} attributes
 */
function attention(builder, x, layer, shapes, attributes) {
  const name = `blk.${layer}`;
  const normed = (/** @type {string} */ part, /** @type {string} */ joined) => {
    const byHead = builder.add("Reshape", [builder.times(x, `${name}.${part}`), shapes.heads], `${name}.${part} by head`);
    return builder.add("Reshape", [builder.norm(byHead, `${name}.${part}_norm`), joined], `${name}.${part} joined`);
  };
  const [q, k, v] = [normed("attn_q", shapes.queries), normed("attn_k", shapes.keys), builder.times(x, `${name}.attn_v`)];
  const caches = cacheNames(layer);
  const inputs = [q, k, v, ...caches.map(({ past }) => past), "last", "total", "cos", "sin"];
  const outputs = [`${name} attended`, ...caches.map(({ present }) => present)];
  return builder.times(builder.addMicrosoft("GroupQueryAttention", inputs, outputs, attributes), `${name}.attn_output`);
}

/**
 * @param {GraphBuilder} builder
 * @param {string} x
 * @param {string} name of the layer
 */
function feedForward(builder, x, name) {
  const gate = builder.times(x, `${name}.ffn_gate`);
  const silu = builder.add("Mul", [gate, builder.add("Sigmoid", [gate], `${name} sigmoid`)], `${name} silu`);
  const gated = builder.add("Mul", [silu, builder.times(x, `${name}.ffn_up`)], `${name} gated`);
  return builder.times(gated, `${name}.ffn_down`);
}

/** @param {number} layer */
function cacheNames(layer) {
  return ["key", "value"].map((part) => ({ past: `past ${part} ${layer}`, present: `present ${part} ${layer}` }));
}

/**
 * @param {number} headDim
 * @param {number} base
 */
function rotary(headDim, base) {
  const half = headDim / 2;
  const angles = Float64Array.from({ length: POSITIONS * half }, (_, i) => Math.floor(i / half) * base ** (-(i % half) / half));
  const table = (/** @type {string} */ name, /** @type {(angle: number) => number} */ of) =>
    tensor(name, FLOAT, [POSITIONS, half], Float32Array.from(angles, of));
  return [table("cos", Math.cos), table("sin", Math.sin)];
}
