import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The program embeds these four files, so their names are fixed and there is one script: the
// exported page holds it inline.
export default defineConfig({
  base: '/assets/',
  plugins: [svelte()],
  build: {
    target: 'es2022',
    assetsDir: '',
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: {
      output: {
        inlineDynamicImports: true,
        entryFileNames: 'app.js',
        assetFileNames: (asset) => (asset.names[0]?.endsWith('.css') ? 'app.css' : '[name][extname]'),
      },
    },
  },
  server: { proxy: { '/api': process.env.CARYA_URL ?? 'http://127.0.0.1:8765' } },
  test: { include: ['src/**/*.test.ts'] },
});
