import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseRange, serve } from "./server.mjs";

test("ranges of RFC 9110, both ends inclusive", () => {
  assert.deepEqual(parseRange("bytes=0-0", 10), { start: 0, end: 0 });
  assert.deepEqual(parseRange("bytes=4-", 10), { start: 4, end: 9 });
  assert.deepEqual(parseRange("bytes=4-99", 10), { start: 4, end: 9 });
  assert.deepEqual(parseRange("bytes=-3", 10), { start: 7, end: 9 });
  assert.deepEqual(parseRange("bytes=-99", 10), { start: 0, end: 9 });
});

test("a range past the end or backwards is unsatisfiable, and what is no single range is ignored", () => {
  assert.equal(parseRange("bytes=10-", 10), "unsatisfiable");
  assert.equal(parseRange("bytes=5-4", 10), "unsatisfiable");
  assert.equal(parseRange("bytes=0-1,3-4", 10), undefined);
  assert.equal(parseRange("bytes=-", 10), undefined);
  assert.equal(parseRange(undefined, 10), undefined);
});

test("files are served whole and in part, and nothing above the folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "serve-"));
  writeFileSync(join(folder, "a.wasm"), "0123456789");
  writeFileSync(join(folder, "elsewhere"), "model");
  const server = await serve(folder, { "/models/m q.gguf": join(folder, "elsewhere") });
  try {
    const whole = await fetch(`${server.address}/a.wasm`);
    assert.equal(whole.headers.get("content-type"), "application/wasm");
    assert.equal(await whole.text(), "0123456789");
    const part = await fetch(`${server.address}/a.wasm`, { headers: { range: "bytes=2-4" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 2-4/10");
    assert.equal(await part.text(), "234");
    assert.equal(await (await fetch(`${server.address}/models/m%20q.gguf`)).text(), "model");
    assert.equal((await fetch(`${server.address}/none`)).status, 404);
    assert.equal(await statusOf(`${server.address}`, "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd"), 404);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});

test("what is not allowed is answered as if the server were down, and every request is told", async () => {
  /** @type {string[]} */
  const asked = [];
  const folder = mkdtempSync(join(tmpdir(), "serve-"));
  const server = await serve(folder, {}, (path) => asked.push(path) > 1);
  try {
    assert.equal((await fetch(`${server.address}/a.wasm`)).status, 503);
    assert.equal((await fetch(`${server.address}/a.wasm`)).status, 404);
    assert.deepEqual(asked, ["/a.wasm", "/a.wasm"]);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});

/**
 * `fetch` would resolve dots itself.
 * @param {string} address
 * @param {string} path
 */
function statusOf(address, path) {
  return new Promise((done) => {
    request(address, { path }, (response) => done(response.resume().statusCode)).end();
  });
}
