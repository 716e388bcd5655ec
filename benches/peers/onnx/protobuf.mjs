// Writes ONNX models: the few messages of onnx.proto that a graph needs, in protobuf's wire format.

/** onnx.TensorProto.DataType. */
export const FLOAT = 1;
export const UINT8 = 2;
export const INT32 = 6;
export const INT64 = 7;

/** onnx.AttributeProto.AttributeType. */
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;

/**
 * @typedef {Uint8Array[]} Bytes pieces, so that weights are not copied once a level
 * @typedef {Record<string, number | { float: number }>} Attributes numbers are whole ones
 */

/**
 * @param {string} type
 * @param {string[]} inputs the empty name for one that is left out
 * @param {string[]} outputs
 * @param {Attributes} [attributes]
 * @param {string} [domain]
 */
export function node(type, inputs, outputs, attributes = {}, domain = "") {
  const written = Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value)));
  const names = [...inputs.flatMap((name) => text(1, name)), ...outputs.flatMap((name) => text(2, name))];
  return [...names, ...text(4, type), ...written, ...text(7, domain)];
}

/**
 * @param {string} name
 * @param {number} type
 * @param {number[]} dims
 * @param {ArrayBufferView} data
 * @returns {Bytes}
 */
export function tensor(name, type, dims, data) {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...dims.flatMap((dim) => whole(1, dim)), ...whole(2, type), ...text(8, name), ...bytes(9, [raw])];
}

/**
 * An input or output of a graph.
 * @param {string} name
 * @param {number} type
 * @param {(number | string)[]} dims names for those that vary
 */
export function value(name, type, dims) {
  const shape = dims.flatMap((dim) => bytes(1, typeof dim === "number" ? whole(1, dim) : text(2, dim)));
  return [...text(1, name), ...bytes(2, bytes(1, [...whole(1, type), ...bytes(2, shape)]))];
}

/**
 * @param {{ nodes: Bytes[], tensors: Bytes[], inputs: Bytes[], outputs: Bytes[] }} graph
 * @returns {Bytes} the file
 */
export function model({ nodes, tensors, inputs, outputs }) {
  const all = (/** @type {number} */ field, /** @type {Bytes[]} */ messages) => messages.flatMap((message) => bytes(field, message));
  const graph = [...all(1, nodes), ...text(2, "model"), ...all(5, tensors), ...all(11, inputs), ...all(12, outputs)];
  const operators = (/** @type {string} */ domain, /** @type {number} */ version) => bytes(8, [...text(1, domain), ...whole(2, version)]);
  return [...whole(1, 8), ...bytes(7, graph), ...operators("", 17), ...operators("com.microsoft", 1)];
}

/**
 * @param {string} name
 * @param {number | { float: number }} value
 */
function attribute(name, value) {
  if (typeof value === "number") return [...text(1, name), ...whole(3, value), ...whole(20, ATTRIBUTE_INT)];
  const float = new Uint8Array(new Float32Array([value.float]).buffer);
  return [...text(1, name), ...key(2, 5), float, ...whole(20, ATTRIBUTE_FLOAT)];
}

/**
 * @param {number} field
 * @param {string} content
 */
function text(field, content) {
  return bytes(field, [new TextEncoder().encode(content)]);
}

/**
 * @param {number} field
 * @param {Bytes} content
 */
function bytes(field, content) {
  const length = content.reduce((sum, piece) => sum + piece.length, 0);
  return [...key(field, 2), varint(BigInt(length)), ...content];
}

/**
 * @param {number} field
 * @param {number} number a whole one
 */
function whole(field, number) {
  return [...key(field, 0), varint(BigInt.asUintN(64, BigInt(number)))];
}

/**
 * @param {number} field
 * @param {number} wireType
 */
function key(field, wireType) {
  return [varint(BigInt(field * 8 + wireType))];
}

/** @param {bigint} number */
function varint(number) {
  const written = [];
  for (; number > 127n; number >>= 7n) written.push(Number(number & 127n) | 128);
  return new Uint8Array([...written, Number(number)]);
}
