/** The switch in the composer that lends the page's tools to the model, and the questions that the welcome suggests with it. */

import { byId, el, textButton } from '../dom.js';

const IDEAS = [
  'What is 17 + 25?',
  'What is the opposite of hot?',
  'Tell me a story about a fox.',
  'Spell "lamp" backwards.',
];

/** Wire it up. Returns whether it is on. */
export function setUpTools(toolIdeas: readonly string[], ask: (question: string) => void): () => boolean {
  const button = byId('tools', HTMLButtonElement);
  const isOn = () => button.getAttribute('aria-pressed') === 'true';
  const suggest = () => {
    const ideas = isOn() ? toolIdeas : IDEAS;
    const items = ideas.map((idea) =>
      el(
        'li',
        {},
        textButton(idea, 'idea', () => ask(idea), 'idea'),
      ),
    );
    byId('ideas', HTMLElement).replaceChildren(...items);
  };
  button.addEventListener('click', () => {
    button.setAttribute('aria-pressed', String(!isOn()));
    suggest();
  });
  suggest();
  return isOn;
}
