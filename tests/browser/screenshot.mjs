// `node screenshot.mjs --out FILE.png [--browser NAMES] [--url URL] [--tools] [--ask PROMPT] [--phone] [--dark]`: what a page
// looks like. Without --url it is the built demo page. The browser's name goes before the ending: FILE-chromium.png.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    browser: { type: "string", default: "chromium,firefox" },
    url: { type: "string" },
    tools: { type: "boolean", default: false },
    ask: { type: "string" },
    phone: { type: "boolean", default: false },
    dark: { type: "boolean", default: false },
  },
});
if (!values.out?.endsWith(".png")) throw new Error("--out FILE.png says where the pictures go");

/** The page counts as settled when its text has not changed for this long. */
const SETTLED_MS = 3000;
const PATIENCE_MS = 120_000;

const server = await serve(fileURLToPath(new URL("../../demo/dist", import.meta.url)));
for (const name of values.browser.split(",")) {
  if (name !== "chromium" && name !== "firefox") throw new Error(`no pictures from "${name}", only from chromium and firefox`);
  const browser = await openBrowser(name, { dark: values.dark });
  const page = await browser.openPage("about:blank", (line) => console.log(`${name} ${line}`));
  await page.resize(values.phone ? 390 : 1280, values.phone ? 844 : 800);
  await page.driver.goto(values.url ?? `${server.address}/`);
  const settled = await settle(page);
  if (values.tools) await page.driver.click("[data-testid=tools]");
  if (values.ask !== undefined) {
    await page.driver.type("textarea", values.ask);
    await page.driver.keyboard.press("Enter");
    await settle(page);
  }
  const file = values.out.replace(/\.png$/, `-${name}.png`);
  await page.screenshot(file);
  console.log(`${file} (${(settled / 1000).toFixed(1)} s until the page was settled)`);
  await browser.close();
}
await server.close();

/**
 * Wait until the page's text stays the same, as it does once an answer is complete.
 * @param {import("./lib/browsers.mjs").Page} page
 * @returns {Promise<number>} milliseconds until the last change
 */
async function settle(page) {
  const started = performance.now();
  let [text, changed] = ["", started];
  while (performance.now() - changed < SETTLED_MS) {
    if (performance.now() - started > PATIENCE_MS) throw new Error(`the page still changes after ${PATIENCE_MS / 1000} s`);
    await new Promise((later) => setTimeout(later, 100));
    const now = await page.evaluate("document.body.innerText");
    if (now !== text) [text, changed] = [now, performance.now()];
  }
  return changed - started;
}
