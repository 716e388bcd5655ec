import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { execSync } from 'node:child_process';
const file = process.argv[2], sel = (process.argv[3] ?? '0,1,5,7').split(',').map(Number), ms = (process.argv[4] ?? '1,2,4,8,64').split(',').map(Number);
const bytes = readFileSync(file).toString('base64');
const path = execSync('command -v chromium || command -v chromium-browser || command -v google-chrome', { encoding: 'utf8' }).trim();
const browser = await chromium.launch({ executablePath: path, chromiumSandbox: false });
const page = await browser.newPage();
console.log(await page.evaluate(async ([b, sel, ms]) => {
  const types=['Q8_0','Q4_0','Q4_1','Q5_0','Q5_1','Q4_K','Q5_K','Q6_K'];
  const bin = Uint8Array.from(atob(b), (c) => c.charCodeAt(0));
  const { instance: { exports: e } } = await WebAssembly.instantiate(bin, {});
  const rows = 576*2, cols = 1536; let out = '';
  // warm up: let the optimising compiler finish
  for (let w = 0; w < 3; w++) { for (const t of sel) for (const m of [1, 8]) { const c = e.make(t, 64, 768, m); for (let i = 0; i < 300; i++) { e.run_rounded(c); e.run_exact(c); } } await new Promise((r) => setTimeout(r, 500)); }
  for (const t of sel) { let line = types[t];
    for (const m of ms) { const c = e.make(t, rows, cols, m);
      for (const [n, f] of [['r', e.run_rounded], ['x', e.run_exact]]) { let best = 1e9; const reps = m > 8 ? 12 : 60;
        const k = Math.max(1, Math.round(24 / m)); for (let i = 0; i < 6; i++) { const s = performance.now(); for (let j = 0; j < k; j++) f(c); best = Math.min(best, (performance.now() - s) / k); }
        line += ` m${m}${n} ${(rows*cols*m/best/1e6).toFixed(1)}`; } }
    out += line + '\n'; }
  return out;
}, [bytes, sel, ms]));
await browser.close();
