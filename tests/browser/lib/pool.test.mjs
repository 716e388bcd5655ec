import assert from "node:assert/strict";
import { test } from "node:test";
import { mapPool } from "./pool.mjs";

test("a pool keeps the items' order and works on no more at a time than it may", async () => {
  let [now, most] = [0, 0];
  const results = await mapPool([30, 10, 20, 0, 5], 2, async (milliseconds) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    now -= 1;
    return milliseconds + 1;
  });
  assert.deepEqual(results, [31, 11, 21, 1, 6]);
  assert.equal(most, 2);
});

test("a pool fails with what its work fails with", async () => {
  await assert.rejects(mapPool([1, 2, 3], 2, (item) => (item === 2 ? Promise.reject(new Error("two")) : Promise.resolve(item))), /two/);
});
