import { defineConfig } from 'vitest/config';
import { offline } from './offline.js';

export default defineConfig({
  // The page may be served from any folder.
  base: './',
  plugins: [offline()],
  build: { target: 'es2023' },
  // In this repository the package is a link to a folder beside this one.
  server: { fs: { allow: ['..'] } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
