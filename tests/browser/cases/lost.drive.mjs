// The GPU's process dies under a running engine: an error with a code, soon, and a new device works.

/** Long after an engine has its GPU. */
const OPENED_AFTER_MILLISECONDS = 500;

/** @param {import("../lib/harness.mjs").Check & { openPage: (url: string) => Promise<import("../lib/browsers.mjs").Page> }} t */
export default async function (t) {
  if (t.environment !== "chromium") return t.note("skipped", "only Chromium can be told to end its GPU process");
  const page = await t.openPage(`${t.address}/tests/browser/page.html`);
  await page.evaluate(`(async () => {
    const { loadSelftest } = await import("/tests/browser/lib/selftest.mjs");
    const module = await loadSelftest({ address: location.origin });
    window.reopen = () => module.selftest("facade/write_and_read_back", "default");
    // A GPU that is there already is lost; one that is being opened would only be missing.
    await window.reopen();
    window.lost = module.selftest_until_lost().catch(({ name, message }) => ({ name, message }));
  })()`);
  const session = await page.driver.context().browser().newBrowserCDPSession();
  await new Promise((opened) => setTimeout(opened, OPENED_AFTER_MILLISECONDS));
  await session.send("Browser.crashGpuProcess");
  const error = await page.evaluate("window.lost");
  t.equal(error.name, "Lost", "the code");
  t.note("message", error.message);
  const [report] = JSON.parse(await page.evaluate("window.reopen()"));
  t.ok(report.passed, `a new device to work: ${report.message}`);
}
