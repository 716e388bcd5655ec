// threads.any.mjs in a page that is isolated by headers, where threads share memory.
import { fileURLToPath } from "node:url";
import { serve } from "../lib/server.mjs";

export const timeoutSeconds = 300;

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const server = await serve(root, {}, undefined, () => ISOLATED);
  try {
    const page = await t.openPage(`${server.address}/tests/browser/page.html`);
    await page.ready();
    t.equal(await page.evaluate("crossOriginIsolated"), true, "whether the page is isolated");
    const given = JSON.stringify({ environment: t.environment, address: server.address, full: t.full });
    const result = await page.evaluate(`window.runCasePath("/tests/browser/cases/threads.any.mjs", ${given})`);
    t.ok(result.passed, result.message);
  } finally {
    await server.close();
  }
}
