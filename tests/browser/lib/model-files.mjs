// A model of one GGUF file in the other forms that models have: in parts, and as a folder of Hugging Face's.

/** Bytes of a value of each of GGUF's types; of texts and arrays none. */
const BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];
const [U16, U32, F32, TEXT, ARRAY] = /** @type {const} */ ([2, 4, 6, 8, 9]);
const ALIGNMENT = 32;

/**
 * @typedef {object} Tensor
 * @property {string} name
 * @property {number[]} dims the length of a row first
 * @property {number} type
 * @property {Uint8Array} data
 *
 * @typedef {object} Gguf
 * @property {Uint8Array} entries the metadata as it stands in the file
 * @property {number} count of the entries
 * @property {Record<string, any>} values
 * @property {Tensor[]} tensors
 */

/**
 * @param {Uint8Array} file
 * @returns {Gguf}
 */
export function readGguf(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 8;
  const u32 = () => view.getUint32((at += 4) - 4, true);
  const u64 = () => Number(view.getBigUint64((at += 8) - 8, true));
  const text = () => {
    const length = u64();
    return new TextDecoder().decode(file.subarray(at, (at += length)));
  };
  /** @param {number} type @returns {any} */
  const value = (type) => {
    if (type === TEXT) return text();
    if (type === U32) return u32();
    if (type === F32) return view.getFloat32((at += 4) - 4, true);
    if (type === ARRAY) {
      const element = u32();
      return Array.from({ length: u64() }, () => value(element));
    }
    at += BYTES[type] ?? Number.NaN;
    return undefined;
  };
  const [tensorCount, count] = [u64(), u64()];
  const begin = at;
  /** @type {Record<string, any>} */
  const values = {};
  for (let i = 0; i < count; i += 1) {
    const key = text();
    values[key] = value(u32());
  }
  const entries = file.subarray(begin, at);
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const dims = Array.from({ length: u32() }, u64);
    return { name, dims, type: u32(), offset: u64() };
  });
  const start = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
  const ends = infos.map(({ offset }) => offset).slice(1);
  const tensors = infos.map(({ offset, ...info }, i) => {
    const data = file.subarray(start + offset, start + (ends[i] ?? file.length - start));
    return { ...info, data };
  });
  return { entries, count, values, tensors };
}

/**
 * The parts of a model, as llama.cpp's gguf-split names and writes them.
 * @param {Uint8Array} file
 * @param {number} count
 * @returns {{ name: string, bytes: Uint8Array<ArrayBuffer> }[]}
 */
export function split(file, count) {
  const { entries, count: entryCount, tensors } = readGguf(file);
  const each = Math.ceil(tensors.length / count);
  return Array.from({ length: count }, (_, no) => {
    const own = tensors.slice(no * each, (no + 1) * each);
    const header = new Writer();
    header.bytes(new TextEncoder().encode("GGUF"));
    header.u32(3);
    header.u64(own.length);
    header.u64(3 + (no === 0 ? entryCount : 0));
    if (no === 0) header.bytes(entries);
    for (const [key, value] of /** @type {const} */ ([["no", no], ["count", count]])) {
      header.text(`split.${key}`);
      header.u32(U16);
      header.bytes(new Uint8Array(Uint16Array.of(value).buffer));
    }
    header.text("split.tensors.count");
    header.u32(U32);
    header.u32(tensors.length);
    let offset = 0;
    for (const { name, dims, type, data } of own) {
      header.text(name);
      header.u32(dims.length);
      dims.forEach((length) => header.u64(length));
      header.u32(type);
      header.u64(offset);
      offset += Math.ceil(data.length / ALIGNMENT) * ALIGNMENT;
    }
    header.align();
    for (const { data } of own) {
      header.bytes(data);
      header.align();
    }
    const number = (/** @type {number} */ n) => String(n).padStart(5, "0");
    return { name: `model-${number(no + 1)}-of-${number(count)}.gguf`, bytes: header.whole() };
  });
}

/** What the tensors of a Qwen 3 are called in transformers, by their names in GGUF. */
const NAMES = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
};

/**
 * The folder of a Qwen 3 of F32 numbers whose head is its embedding, with two shards.
 * @param {Uint8Array} file
 * @returns {{ name: string, bytes: Uint8Array<ArrayBuffer> }[]}
 */
export function folder(file) {
  const { values, tensors } = readGguf(file);
  const named = tensors.map(({ name, dims, data }) => {
    const [, layer, part] = /** @type {string[]} */ (/^(?:blk\.(\d+)\.)?(.*)\.weight$/.exec(name));
    const base = NAMES[/** @type {keyof typeof NAMES} */ (part)];
    const full = `${layer === undefined ? "" : `model.layers.${layer}.`}${base}.weight`;
    return { name: full, shape: dims.toReversed(), data };
  });
  const half = Math.ceil(named.length / 2);
  const shards = [named.slice(0, half), named.slice(half)].map((own, i) => ({ own, name: `model-0000${i + 1}-of-00002.safetensors` }));
  const weight_map = Object.fromEntries(shards.flatMap(({ own, name }) => own.map((tensor) => [tensor.name, name])));
  const of = (/** @type {string} */ key) => values[`qwen3.${key}`];
  const config = {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    hidden_size: of("embedding_length"),
    intermediate_size: of("feed_forward_length"),
    num_hidden_layers: of("block_count"),
    num_attention_heads: of("attention.head_count"),
    num_key_value_heads: of("attention.head_count_kv"),
    head_dim: of("attention.key_length"),
    max_position_embeddings: of("context_length"),
    rms_norm_eps: of("attention.layer_norm_rms_epsilon"),
    rope_theta: of("rope.freq_base"),
    vocab_size: values["tokenizer.ggml.tokens"].length,
    eos_token_id: values["tokenizer.ggml.eos_token_id"],
    tie_word_embeddings: true,
    torch_dtype: "float32",
  };
  return [
    json("config.json", config),
    json("model.safetensors.index.json", { metadata: {}, weight_map }),
    ...shards.map(({ own, name }) => ({ name, bytes: safetensors(own) })),
    ...tokenizer(values),
  ];
}

/** @param {Record<string, any>} values */
function tokenizer(values) {
  /** @type {string[]} */
  const tokens = values["tokenizer.ggml.tokens"];
  const isAdded = (/** @type {string} */ token) => /^<\|.*\|>$/.test(token);
  const added = tokens.flatMap((content, id) => {
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    return isAdded(content) ? [{ id, content, ...flags }] : [];
  });
  const regex =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const split = { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
  const plain = tokens.flatMap((token, id) => (isAdded(token) ? [] : [[token, id]]));
  const model = { type: "BPE", vocab: Object.fromEntries(plain), merges: values["tokenizer.ggml.merges"], byte_fallback: false };
  const whole = {
    version: "1.0",
    added_tokens: added,
    normalizer: { type: "NFC" },
    pre_tokenizer: { type: "Sequence", pretokenizers: [split, bytes] },
    post_processor: null,
    decoder: bytes,
    model,
  };
  const eos_token = tokens[values["tokenizer.ggml.eos_token_id"]];
  const config = { tokenizer_class: "Qwen2Tokenizer", eos_token, chat_template: values["tokenizer.chat_template"] };
  return [json("tokenizer.json", whole), json("tokenizer_config.json", config)];
}

/** @param {{ name: string, shape: number[], data: Uint8Array }[]} tensors */
function safetensors(tensors) {
  let end = 0;
  const header = Object.fromEntries(
    tensors.map(({ name, shape, data }) => [name, { dtype: "F32", shape, data_offsets: [end, (end += count(shape) * 4)] }]),
  );
  const writer = new Writer();
  const text = new TextEncoder().encode(JSON.stringify(header));
  writer.u64(text.length);
  writer.bytes(text);
  // In GGUF they may be padded.
  for (const { shape, data } of tensors) writer.bytes(data.subarray(0, count(shape) * 4));
  return writer.whole();
}

/** @param {number[]} shape */
function count(shape) {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * @param {string} name
 * @param {object} value
 */
function json(name, value) {
  return { name, bytes: new TextEncoder().encode(JSON.stringify(value)) };
}

class Writer {
  /** @type {Uint8Array[]} */
  #pieces = [];
  #length = 0;

  /** @param {Uint8Array} bytes */
  bytes(bytes) {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }

  /** @param {number} value */
  u32(value) {
    this.bytes(new Uint8Array(Uint32Array.of(value).buffer));
  }

  /** @param {number} value */
  u64(value) {
    this.bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  }

  /** @param {string} text */
  text(text) {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }

  align() {
    this.bytes(new Uint8Array((ALIGNMENT - (this.#length % ALIGNMENT)) % ALIGNMENT));
  }

  whole() {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }
}
