// What a visitor sees: the demo page loads ember, answers a sum, its answer grows before their eyes, and it says where that ran.

/** The whole way, from opening the page to the complete answer, on the CPU where there is no GPU. */
const LIMIT_SECONDS = 10;
/** Visits of which the fastest counts, since a machine may be busy with something else. */
const VISITS = 3;

/** Records every text that the answer has shown; runs in the page. */
const WATCH = `{
  window.shown = [];
  const look = () => {
    const text = document.querySelector("[data-testid=answer]")?.textContent ?? "";
    if (text !== "" && text !== window.shown.at(-1)) window.shown.push(text);
  };
  new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
}`;

/** Asks as a visitor would, and waits for the end of the answer or for an error; runs in the page. */
const ASK = `new Promise((done, fail) => {
  const input = document.querySelector("[data-testid=input]");
  input.value = "What is 17 + 25?";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector("[data-testid=composer]").requestSubmit();
  const look = () => {
    const error = document.querySelector("[data-testid=error-message]");
    if (error) return fail(new Error(error.textContent));
    if (document.querySelector("[data-testid=answer-note]")) return done(window.shown);
    setTimeout(look, 20);
  };
  look();
})`;

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  let seconds = Infinity;
  for (let visit = 1; visit <= VISITS && seconds > LIMIT_SECONDS; visit += 1) {
    seconds = await visitPage(t);
    t.note(`seconds of visit ${visit}`, Number(seconds.toFixed(1)));
  }
  t.ok(seconds <= LIMIT_SECONDS, `all of it within ${LIMIT_SECONDS} s, not ${seconds.toFixed(1)}`);
}

/**
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @returns {Promise<number>} seconds until the whole answer was there
 */
async function visitPage(t) {
  const started = performance.now();
  const page = await t.openPage(`${t.address}/demo/dist/`);
  await page.evaluate(WATCH);
  /** @type {string[]} */
  const shown = await page.evaluate(ASK);
  const seconds = (performance.now() - started) / 1000;

  t.note("answer", shown.at(-1));
  t.ok(shown.at(-1)?.includes("42"), `an answer with 42, not "${shown.at(-1)}"`);
  t.ok(shown.length >= 3, `the answer to grow in steps, not to be there at once: ${JSON.stringify(shown)}`);
  const grows = shown.every((text, i) => i === 0 || text.length >= (shown[i - 1]?.length ?? 0));
  t.ok(grows, `the answer only to grow: ${JSON.stringify(shown)}`);
  const facts = await page.evaluate('document.querySelector("[data-testid=facts]").textContent');
  t.ok(/^\s*On this device only · \S/.test(facts), `where it ran to be said, not "${facts}"`);
  t.ok(/Because(no GPU: |it is the best GPU here)/.test(facts), `why it ran there to be said, not "${facts}"`);
  await page.close();
  return seconds;
}
