// What every application here does: one answer, and one of a given form, whose module is read on demand.
import { createEngine } from "inglenook";

export async function answer() {
  const engine = await createEngine({ model: "ember", device: "cpu" });
  const ask = async (content, more) => {
    const request = { messages: [{ role: "user", content }], temperature: 0, ...more };
    return (await engine.chat.completions.create(request)).choices[0].message.content;
  };
  const free = await ask("What is 17 + 25?");
  const form = await ask("What is the opposite of hot?", { response_format: { type: "choice", choices: ["cold", "warm"] } });
  await engine.close();
  return { free, form };
}
