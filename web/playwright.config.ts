import { defineConfig } from '@playwright/test';

// Debian's Chromium draws WebGL in software, so time limits are wide.
export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  maxFailures: process.env.CI ? 0 : 6,
  reporter: 'list',
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
    },
    contextOptions: { reducedMotion: 'reduce' },
  },
});
