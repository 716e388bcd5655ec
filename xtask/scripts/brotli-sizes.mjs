// `node brotli-sizes.mjs FILE…`: the size of each file as a server would send it (brotli, quality 11), in bytes, as JSON.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 };
const sizes = process.argv.slice(2).map((file) => brotliCompressSync(readFileSync(file), { params }).length);
console.log(JSON.stringify(sizes));
