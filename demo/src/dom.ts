/** Small helpers over the DOM. Text goes in as text, never as HTML. */

type Child = Node | string | undefined;

/** A new element with these attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** One of the page's icons, by the name of its symbol. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** An element of index.html, which has it for certain. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return element;
}

/** A button that shows an icon and says what it does. */
export function iconButton(name: string, label: string, testId: string, onClick: () => void): HTMLButtonElement {
  const button = el('button', {
    type: 'button',
    class: 'quiet small',
    'aria-label': label,
    title: label,
    'data-testid': testId,
  });
  button.append(icon(name));
  button.addEventListener('click', onClick);
  return button;
}

/** A button with words. */
export function textButton(
  label: string,
  testId: string,
  onClick: () => void,
  className = 'outline-button',
): HTMLButtonElement {
  const button = el('button', { type: 'button', class: className, 'data-testid': testId }, label);
  button.addEventListener('click', onClick);
  return button;
}
