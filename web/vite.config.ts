import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// Files get no hash in their names: the built page is committed, and a changed
// line then changes one file instead of renaming a dozen. The server's ETags do
// what the hashes would.
const vendors: [string, RegExp][] = [
  ['vendor-react', /node_modules\/(react|react-dom|scheduler)\//],
  ['vendor-mantine', /node_modules\/(@mantine\/(core|hooks|notifications)|@floating-ui|clsx|react-remove-scroll|react-textarea-autosize|react-number-format|react-transition-group)/],
  ['vendor-i18n', /node_modules\/(i18next|react-i18next)/],
  ['vendor-flow', /node_modules\/(@xyflow|d3-|zustand|zundo)/],
  ['vendor-codemirror', /node_modules\/(@codemirror|@lezer|style-mod|w3c-keyname|crelt|@marijn)/],
  ['vendor-yaml', /node_modules\/yaml\//],
  ['vendor-elk', /node_modules\/elkjs\//],
];

export default defineConfig({
  plugins: [react()],
  base: '/',
  build: {
    outDir: '../studio/dist',
    emptyOutDir: true,
    target: 'es2022',
    cssCodeSplit: true,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: { groups: vendors.map(([name, test]) => ({ name, test })) },
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8090' } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
