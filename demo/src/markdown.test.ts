import { beforeEach, expect, test } from 'vitest';
import { MarkdownView } from './markdown.js';

let view: MarkdownView;
beforeEach(() => {
  view = new MarkdownView(document.createElement('div'));
});

function html(text: string): string {
  view.update(text);
  return view.element.innerHTML;
}

test.each([
  [
    'plain **bold** *it* `code` ~~no~~',
    '<p>plain <strong>bold</strong> <em>it</em> <code>code</code> <del>no</del></p>',
  ],
  ['# One\n\n## Two', '<h3>One</h3><h4>Two</h4>'],
  ['- a\n- b', '<ul><li><span>a</span></li><li><span>b</span></li></ul>'],
  ['3. a\n4. b', '<ol start="3"><li><span>a</span></li><li><span>b</span></li></ol>'],
  ['> quote', '<blockquote><p>quote</p></blockquote>'],
  ['```js\na < b\n```', '<pre tabindex="0"><code data-language="js">a &lt; b</code></pre>'],
  ['a\n\n---\n\nb', '<p>a</p><hr><p>b</p>'],
  ['5 \\* 3 &lt; 16', '<p>5 * 3 &lt; 16</p>'],
  ['[x](https://a.b/c)', '<p><a href="https://a.b/c" target="_blank" rel="noopener noreferrer nofollow">x</a></p>'],
])('%j becomes %s', (text, expected) => {
  expect(html(text)).toBe(expected);
});

test('tables have rows and alignment', () => {
  const shown = html('| a | b |\n|---|--:|\n| 1 | **2** |');
  expect(shown).toContain('<thead><tr><th>a</th><th data-align="right">b</th></tr></thead>');
  expect(shown).toContain('<tbody><tr><td>1</td><td data-align="right"><strong>2</strong></td></tr></tbody>');
});

test.each([
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  'a <b onclick="alert(1)">b</b>',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](data:text/html,<script>alert(1)</script>)',
  '<https://a.b" onclick="alert(1)>',
  '![x](https://a.b/track.png)',
  '| <img src=x> |\n|---|\n| <script>1</script> |',
  '- <iframe src="https://a.b">',
  '<style>*{display:none}</style>',
  '[a]: javascript:alert(1)\n\n[a]',
  '```"><img src=x>\ncode\n```',
])('%j brings in no element that acts or loads', (text) => {
  view.update(text);
  expect(view.element.querySelector('script, img, iframe, style, link, object, b, svg')).toBeNull();
  for (const element of view.element.querySelectorAll('*')) {
    for (const name of element.getAttributeNames()) expect(name).not.toMatch(/^on|^src$|^style$/);
    expect(element.getAttribute('href') ?? 'https:').toMatch(/^(https?|mailto):/);
  }
});

test('HTML is shown as the text that it is', () => {
  view.update('a <b>c</b>\n\n<div>block</div>');
  expect(view.element.textContent).toBe('a <b>c</b><div>block</div>');
});

test('a growing text keeps the blocks that are complete', () => {
  view.update('one\n\ntwo');
  const [first, second] = view.element.children;
  view.update('one\n\ntwo three\n\nfour');
  expect(view.element.children[0]).toBe(first);
  expect(view.element.children[1]).not.toBe(second);
  expect(view.element.textContent).toBe('onetwo threefour');
  view.update('new');
  expect(view.element.innerHTML).toBe('<p>new</p>');
});

test('every prefix of a text can be shown', () => {
  const text =
    '# T\n\n1. **a** `b\n2. c\n\n| x | y |\n|---|---|\n| 1 | [l](https://a.b) |\n\n```py\nprint("*")\n```\n> q';
  for (let end = 0; end <= text.length; end += 1) view.update(text.slice(0, end));
  expect(view.element.querySelectorAll('h3, ol, table, pre, blockquote')).toHaveLength(5);
});
