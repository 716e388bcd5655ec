// Several answers at once, as users see them: the demo's "ask three ways", and the page of examples/web.

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
export default async function (t) {
  await threeWays(t);
  await example(t);
}

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
async function threeWays(t) {
  const page = await t.openPage(`${t.address}/demo/dist/`);
  await page.driver.click("[data-testid=three-ways]");
  await whenever(page, 'document.querySelectorAll("[data-testid=way] .answer").length === 3', `
    window.ended = document.querySelectorAll("[data-testid=way] [data-testid=answer-note]").length;
    document.querySelector("[data-testid=way]:nth-child(2) [data-testid=way-stop]").click();
  `);
  await page.driver.type("[data-testid=ways-input]", "Tell me a story about a fox.");
  await page.driver.keyboard.press("Enter");
  /** @returns {Promise<string[]>} */
  const texts = () => page.evaluate('[...document.querySelectorAll("[data-testid=way] .answer")].map((one) => one.textContent)');
  const notes = () => page.evaluate('[...document.querySelectorAll("[data-testid=way] [data-testid=answer-note]")].map((one) => one.textContent)');
  await until(async () => (await notes()).length === 3, "all three answers to end");
  t.equal(await page.evaluate("window.ended"), 0, "what had ended when all three had begun");
  t.equal((await notes())[1], "stopped", "the note of the stopped one");
  const [steady, stopped, daring] = await texts();
  t.note("answers", [steady, stopped, daring]);
  t.ok(/fox/.test(steady ?? "") && /fox/.test(daring ?? ""), "the others to be whole");

  await whenever(page, '!document.getElementById("ways-stop").hidden', 'document.getElementById("ways-stop").click()');
  await page.driver.click("[data-testid=ways-ask]");
  await until(async () => (await notes()).length === 3, "all three answers to end");
  t.equal(await notes(), ["stopped", "stopped", "stopped"], "the notes after all were stopped");
  await page.close();
}

/** @param {import("../lib/harness.mjs").DrivenCheck} t */
async function example(t) {
  const page = await t.openPage(`${t.address}/examples/web/`);
  await until(() => page.evaluate('document.getElementById("stop").disabled && !document.querySelector("[value=\\"3\\"]").disabled'), "the model");
  await page.driver.click("[value='3']");
  await until(() => page.evaluate('document.getElementById("stop").disabled'), "the answers");
  /** @type {string[]} */
  const answers = await page.evaluate('[...document.querySelectorAll("#answers li")].map((one) => one.textContent)');
  t.note("the example's answers", answers);
  t.ok(answers.length === 3 && answers.every((text) => text.includes("fox")), "three answers about a fox");
  t.equal(new Set(answers).size, 3, "different ones");
  await page.close();
}

/**
 * Has the page do something once, at the very change that makes a condition true: an answer may end before a driver's click arrives.
 * @param {Awaited<ReturnType<import("../lib/harness.mjs").DrivenCheck["openPage"]>>} page
 * @param {string} condition
 * @param {string} action
 */
function whenever(page, condition, action) {
  const watch = `(_, watching) => { if (${condition}) { watching.disconnect(); ${action} } }`;
  return page.evaluate(`void new MutationObserver(${watch}).observe(document.body, { subtree: true, childList: true, attributes: true })`);
}

/**
 * @param {() => Promise<boolean>} holds
 * @param {string} what
 */
async function until(holds, what) {
  for (let i = 0; i < 600; i += 1) {
    if (await holds()) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`expected ${what} within 30 s`);
}
