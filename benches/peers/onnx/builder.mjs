// A graph while it is composed: each operator by its inputs' names, with the weights that it reads from the GGUF file.
import { FLOAT, INT64, node, tensor, UINT8 } from "./protobuf.mjs";
import { BLOCK, dequantise, repack } from "./q4_0.mjs";

const GGUF_F32 = 0;
const GGUF_Q4_0 = 2;
/** Activations may be rounded to eight bits, where the backend has a kernel for that. That of WebAssembly in 1.30 has none. */
const ACCURACY_LEVEL = 4;
const MICROSOFT = "com.microsoft";

export class GraphBuilder {
  /** @type {import("./protobuf.mjs").Bytes[]} */
  nodes = [];
  /** @type {import("./protobuf.mjs").Bytes[]} */
  tensors = [];
  #file;
  #epsilon;
  #asFloats;

  /**
   * @param {Record<string, import("./gguf.mjs").Tensor>} file
   * @param {number} epsilon of all norms
   * @param {boolean} asFloats whether matrices are unpacked
   */
  constructor(file, epsilon, asFloats) {
    this.#file = file;
    this.#epsilon = { float: epsilon };
    this.#asFloats = asFloats;
  }

  /**
   * An operator of ONNX's own; gives its output's name back, as all that follow.
   * @param {string} type
   * @param {string[]} inputs
   * @param {string} output
   * @param {import("./protobuf.mjs").Attributes} [attributes]
   */
  add(type, inputs, output, attributes = {}) {
    this.nodes.push(node(type, inputs, [output], attributes));
    return output;
  }

  /**
   * An operator of onnxruntime's.
   * @param {string} type
   * @param {string[]} inputs
   * @param {string[]} outputs of which the first is given back
   * @param {import("./protobuf.mjs").Attributes} attributes
   */
  addMicrosoft(type, inputs, outputs, attributes) {
    this.nodes.push(node(type, inputs, outputs, attributes, MICROSOFT));
    return outputs[0] ?? "";
  }

  /**
   * @param {string} name
   * @param {number[]} numbers whole ones
   */
  constant(name, numbers) {
    this.tensors.push(tensor(name, INT64, [numbers.length], BigInt64Array.from(numbers, BigInt)));
    return name;
  }

  /**
   * `x` times the matrix `name`, whose blocks MatMulNBits holds exactly: 32 weights, zero at 8.
   * @param {string} x
   * @param {string} name
   */
  times(x, name, output = `${name} out`) {
    const { dims: [k = 0, n = 0], bytes } = this.#get(name, GGUF_Q4_0);
    if (this.#asFloats) {
      this.tensors.push(tensor(`${name} columns`, FLOAT, [k, n], transpose(dequantise(bytes, (k * n) / BLOCK), n, k)));
      return this.add("MatMul", [x, `${name} columns`], output);
    }
    const { quants, scales } = repack(bytes, (k * n) / BLOCK);
    this.tensors.push(tensor(`${name} quants`, UINT8, [n, k / BLOCK, BLOCK / 2], quants));
    this.tensors.push(tensor(`${name} scales`, FLOAT, [(n * k) / BLOCK], scales));
    const attributes = { K: k, N: n, bits: 4, block_size: BLOCK, accuracy_level: ACCURACY_LEVEL };
    return this.addMicrosoft("MatMulNBits", [x, `${name} quants`, `${name} scales`], [output], attributes);
  }

  /**
   * @param {string} x
   * @param {string} name
   */
  norm(x, name) {
    const attributes = { axis: -1, epsilon: this.#epsilon, stash_type: 1 };
    return this.add("SimplifiedLayerNormalization", [x, this.#vector(name)], `${name} out`, attributes);
  }

  /**
   * The norm of `residual + x`, and that sum.
   * @param {string} residual
   * @param {string} x
   * @param {string} name
   */
  addAndNorm(residual, x, name) {
    const outputs = [`${name} out`, "", "", `${name} sum`];
    const inputs = [residual, x, this.#vector(name)];
    const normed = this.addMicrosoft("SkipSimplifiedLayerNormalization", inputs, outputs, { epsilon: this.#epsilon });
    return { normed, sum: `${name} sum` };
  }

  /**
   * Rows of the matrix `name`, as floats.
   * @param {string} ids
   * @param {string} name
   */
  rows(ids, name) {
    const { dims: [width = 0, count = 0], bytes } = this.#get(name, GGUF_Q4_0);
    this.tensors.push(tensor(`${name} floats`, FLOAT, [count, width], dequantise(bytes, (count * width) / BLOCK)));
    return { rows: this.add("Gather", [`${name} floats`, ids], `${name} rows`), count };
  }

  /** @param {string} name */
  #vector(name) {
    const { dims, bytes } = this.#get(name, GGUF_F32);
    this.tensors.push(tensor(name, FLOAT, dims, bytes.subarray(0, (dims[0] ?? 0) * 4)));
    return name;
  }

  /**
   * @param {string} name
   * @param {number} type
   */
  #get(name, type) {
    const found = this.#file[`${name}.weight`];
    if (found?.type !== type) throw new Error(`the file has no ${name} of GGUF's type ${type}`);
    return found;
  }
}

/**
 * @param {Float32Array} matrix
 * @param {number} rows
 * @param {number} columns
 */
function transpose(matrix, rows, columns) {
  const transposed = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) transposed[column * rows + row] = matrix[row * columns + column] ?? 0;
  }
  return transposed;
}
