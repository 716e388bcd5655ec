/** Light or dark: the system's choice, until the user makes their own. */

import { byId } from '../dom.js';

/** Wire up the toggle. `public/theme.js` applies a stored choice before the first paint. */
export function setUpTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  byId('theme-toggle', HTMLButtonElement).addEventListener('click', () => {
    const systems = system.matches ? 'dark' : 'light';
    const shown = root.dataset.theme ?? systems;
    const wanted = shown === 'dark' ? 'light' : 'dark';
    // Back to what the system says means following it again.
    if (wanted === systems) delete root.dataset.theme;
    else root.dataset.theme = wanted;
    store(root.dataset.theme);
  });
}

function store(theme: string | undefined): void {
  try {
    if (theme === undefined) localStorage.removeItem('theme');
    else localStorage.setItem('theme', theme);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
  }
}
