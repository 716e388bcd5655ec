// The whole circle in the demo page: ember calls a tool, the call is shown while it is written, the page executes it, ember is
// told the result, and answers with it. And a stop in the middle of it ends it.

/** The page samples as a visitor's does, so that ember may write a name wrong once in a long while. */
const ATTEMPTS = 3;
const QUESTION = "What is 318 * 47?";
const RESULT = "14946";

/** Records every state of the page's card that differs from the one before; runs in the page. */
const WATCH = `{
  window.states = [];
  const text = (card, name) => card.querySelector("[data-testid=" + name + "]")?.textContent ?? "";
  const look = () => {
    const card = document.querySelector("[data-testid=tool-card]");
    if (card === null) return;
    const state = { name: text(card, "tool-name"), given: text(card, "tool-arguments"), state: card.dataset.state, result: text(card, "tool-result") };
    if (JSON.stringify(state) !== JSON.stringify(window.states.at(-1))) window.states.push(state);
  };
  new MutationObserver(look).observe(document.body, { attributes: true, childList: true, characterData: true, subtree: true });
}`;

/** Asks as a visitor would, the tools switched on, and waits for the end of the answer or for an error; runs in the page. */
const ASK = `new Promise((done, fail) => {
  const find = (name) => document.querySelector("[data-testid=" + name + "]");
  if (find("tools").getAttribute("aria-pressed") === "false") find("tools").click();
  find("input").value = ${JSON.stringify(QUESTION)};
  find("input").dispatchEvent(new Event("input", { bubbles: true }));
  find("composer").requestSubmit();
  const look = () => {
    if (find("error-message")) return fail(new Error(find("error-message").textContent));
    const texts = [...document.querySelectorAll("[data-testid=answer]")].map((part) => part.textContent);
    if (find("answer-note")) return done({ states: window.states, answer: texts.at(-1) ?? "", note: find("answer-note").textContent });
    setTimeout(look, 20);
  };
  look();
})`;

/** Stops as soon as a call is being written; runs in the page. */
const STOP_AT_CALL = `new MutationObserver(() => {
  if (document.querySelector("[data-testid=tool-card]")) document.querySelector("[data-testid=stop]").click();
}).observe(document.body, { childList: true, subtree: true })`;

/**
 * @typedef {{ name: string, given: string, state: string, result: string }} State of the card
 * @typedef {{ states: State[], answer: string, note: string }} Shown
 */

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  let shown = await visit(t, WATCH);
  for (let attempt = 2; attempt <= ATTEMPTS && !shown.answer.includes(RESULT); attempt += 1) shown = await visit(t, WATCH);
  checkCard(t, shown.states);
  t.note("answer", `${shown.answer} (${shown.note})`);
  t.ok(shown.answer.includes(RESULT), `an answer with ${RESULT}, not "${shown.answer}"`);

  const stopped = await visit(t, WATCH, STOP_AT_CALL);
  t.equal(stopped.note, "stopped", "what the page says of a stopped answer");
  t.equal(stopped.states.at(-1)?.state, "stopped", "the state of its call");
  t.equal(stopped.states.at(-1)?.result, "", "its result");
}

/**
 * @param {import("../lib/harness.mjs").DrivenCheck} t
 * @param {string[]} scripts run in the page before it is asked
 * @returns {Promise<Shown>}
 */
async function visit(t, ...scripts) {
  const page = await t.openPage(`${t.address}/demo/dist/`);
  for (const script of scripts) await page.evaluate(script);
  const shown = await page.evaluate(ASK);
  await page.close();
  return shown;
}

/**
 * @param {import("../lib/harness.mjs").Check} t
 * @param {State[]} states
 */
function checkCard(t, states) {
  t.ok(states.every(({ name }) => name === "calculate"), "a call of the calculator");
  const writing = states.filter(({ state }) => state === "writing").map(({ given }) => given);
  t.ok(writing.length >= 2, `the call to be shown while it is written: ${JSON.stringify(writing)}`);
  t.ok(writing.every((text, i) => text.startsWith(writing[i - 1] ?? "")), `its arguments only to grow: ${JSON.stringify(writing)}`);
  const last = states.at(-1);
  t.note("card", `${states.length} states, at last ${JSON.stringify(last)}`);
  t.equal(last?.state, "done", "the state of the card in the end");
  t.equal(last?.given, "expression: 318 * 47", "the arguments");
  t.equal(last?.result, `result: ${RESULT}`, "the result");
}
