import { defineConfig } from 'vitest/config';

// The one default export of this package: the tool asks for it.
// biome-ignore lint/style/noDefaultExport: vitest reads its configuration so
export default defineConfig({
  test: { include: ['src/**/*.test.ts'], testTimeout: 10_000 },
});
