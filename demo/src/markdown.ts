/**
 * Markdown to DOM nodes. `marked` reads it; the nodes are made here one by one, and no HTML is ever parsed, so an answer cannot
 * bring a script, a style or a request along. HTML in an answer shows as the text that it is.
 */

import { lexer, type Token, type Tokens } from 'marked';
import { el } from './dom.js';

/** Shows a growing text in one element; blocks that did not change since the last call keep their nodes. */
export class MarkdownView {
  readonly element: HTMLElement;
  #shown: string[] = [];

  constructor(element: HTMLElement) {
    this.element = element;
  }

  /** Show this text instead of the last. */
  update(text: string): void {
    const blocks = lexer(text).filter((token) => token.type !== 'space' && token.type !== 'def');
    const raws = blocks.map((block) => block.raw);
    let same = 0;
    while (same < raws.length && raws[same] === this.#shown[same]) same += 1;
    while (this.element.childNodes.length > same) this.element.lastChild?.remove();
    this.element.append(...blocks.slice(same).map(toBlock));
    this.#shown = raws;
  }
}

function toBlock(token: Token): Node {
  switch (token.type) {
    case 'heading':
      // The page's own headings come first: an answer's start at the third level.
      return el(headingTag((token as Tokens.Heading).depth), {}, ...inline(token));
    case 'paragraph':
      return el('p', {}, ...inline(token));
    case 'code':
      return toCode(token as Tokens.Code);
    case 'blockquote':
      return el('blockquote', {}, ...((token as Tokens.Blockquote).tokens ?? []).map(toBlock));
    case 'list':
      return toList(token as Tokens.List);
    case 'table':
      return toTable(token as Tokens.Table);
    case 'hr':
      return el('hr');
    case 'text':
      // The lines of a tight list item.
      return el('span', {}, ...inline(token));
    default:
      return el('p', {}, token.raw.trimEnd());
  }
}

function headingTag(depth: number): 'h3' | 'h4' | 'h5' | 'h6' {
  return (['h3', 'h4', 'h5', 'h6'] as const)[depth - 1] ?? 'h6';
}

function toCode({ text, lang }: Tokens.Code): Node {
  const code = el('code', {}, text);
  if (lang) code.dataset.language = lang;
  // Focusable, so that it can be scrolled with the keyboard.
  return el('pre', { tabindex: '0' }, code);
}

function toList({ ordered, start, items }: Tokens.List): Node {
  const list = ordered ? el('ol') : el('ul');
  if (ordered && typeof start === 'number' && start !== 1) list.setAttribute('start', String(start));
  list.append(...items.map((item) => el('li', {}, ...item.tokens.map(toListChild))));
  return list;
}

function toListChild(token: Token): Node {
  if (token.type !== 'checkbox') return toBlock(token);
  const box = el('input', { type: 'checkbox', disabled: '' });
  box.checked = (token as Tokens.Checkbox).checked;
  return box;
}

function toTable({ header, rows }: Tokens.Table): Node {
  const row = (tag: 'th' | 'td', cells: Tokens.TableCell[]) => {
    const line = el('tr');
    for (const cell of cells) {
      const node = el(tag, {}, ...cell.tokens.map(toInline));
      if (cell.align) node.dataset.align = cell.align;
      line.append(node);
    }
    return line;
  };
  const table = el(
    'table',
    {},
    el('thead', {}, row('th', header)),
    el('tbody', {}, ...rows.map((cells) => row('td', cells))),
  );
  return el('div', { class: 'scroll', tabindex: '0' }, table);
}

function inline(token: Token): Node[] {
  const { tokens } = token as { tokens?: Token[] };
  return tokens === undefined ? [plain((token as Tokens.Text).text)] : tokens.map(toInline);
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  nbsp: '\u00a0',
};

/** Text, with the usual entities resolved: marked leaves them for an HTML parser, which never comes. */
function plain(text: string): Text {
  return new Text(text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (entity, name: string) => ENTITIES[name] ?? entity));
}

function toInline(token: Token): Node {
  switch (token.type) {
    case 'strong':
      return el('strong', {}, ...inline(token));
    case 'em':
      return el('em', {}, ...inline(token));
    case 'del':
      return el('del', {}, ...inline(token));
    case 'codespan':
      return el('code', {}, (token as Tokens.Codespan).text);
    case 'br':
      return el('br');
    case 'link':
      return toLink(token as Tokens.Link);
    case 'image':
      // Loading it would tell its host that it was shown.
      return toLink({ ...(token as Tokens.Image), tokens: [] });
    case 'escape':
      return new Text((token as Tokens.Escape).text);
    case 'text':
      return (token as Tokens.Text).tokens ? el('span', {}, ...inline(token)) : plain((token as Tokens.Text).text);
    default:
      return new Text(token.raw);
  }
}

/** A link, where it leads to the web or to mail; otherwise its text alone. */
function toLink({ href, text, tokens }: { href: string; text: string; tokens?: Token[] }): Node {
  const children = tokens?.length ? tokens.map(toInline) : [new Text(text || href)];
  if (!/^(https?:|mailto:)/i.test(href)) return el('span', {}, ...children);
  return el('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, ...children);
}
