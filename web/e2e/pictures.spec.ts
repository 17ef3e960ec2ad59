import { writeFileSync } from 'node:fs';
import { test, type Page } from '@playwright/test';
import { serve, useBuild, type Served } from './carya';
import { smallPng } from './small_png';

// The pictures of docs/explorer.md, of an atlas that CARYA_ATLAS names: the demo's.
const kFolder = '../docs/images';
const atlas = process.env.CARYA_ATLAS;
test.skip(!atlas, 'CARYA_ATLAS names no atlas to take pictures of');

let server: Served;
test.beforeAll(async () => {
  server = await serve([atlas!]);
});
test.afterAll(() => server.stop());
test.beforeEach(({ page }) => useBuild(page));

async function open(page: Page, query: string): Promise<void> {
  await page.goto(server.url + query);
  await page.getByRole('searchbox').waitFor();
  await settle(page);
}
// All items are there and nothing moves.
async function settle(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const engine = (document.querySelector('.map') as any)?.engine;
    return engine?.items.n === engine?.items.capacity && engine.request === 0;
  });
  await page.waitForTimeout(1200);
  await page.waitForFunction(() => (document.querySelector('.map') as any).engine.request === 0);
}
async function shoot(page: Page, name: string): Promise<void> {
  writeFileSync(`${kFolder}/explorer-${name}.png`, await smallPng(page, await page.screenshot()));
}
// The largest topic below the root, and a leaf of some size.
const largest = (page: Page) => page.evaluate(() => {
  const { tree } = (document.querySelector('.map') as any).engine;
  return tree.children[0].reduce((a: number, b: number) => (tree.layout.size[b] > tree.layout.size[a] ? b : a)) as number;
});
const leafOf = (page: Page, atMost: number) => page.evaluate((atMost) => {
  const { tree } = (document.querySelector('.map') as any).engine;
  let best = 0;
  for (let node = 0; node < tree.n; ++node) {
    const size = tree.layout.size[node];
    if (tree.children[node].length === 0 && size <= atMost && (best === 0 || size > tree.layout.size[best])) best = node;
  }
  return best;
}, atMost);

test('the whole', async ({ page }) => {
  await open(page, '');
  await shoot(page, 'overview');
});
test('a topic', async ({ page }) => {
  await open(page, '');
  const node = await largest(page);
  await open(page, `?node=${node}`);
  await shoot(page, 'topic');
});
test('items up close, dark', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await open(page, '');
  const node = await leafOf(page, 110);
  await open(page, `?node=${node}`);
  await shoot(page, 'items-dark');
});
test('a search', async ({ page }) => {
  await open(page, '?q=chess+engine');
  await shoot(page, 'search');
});
test('an item', async ({ page }) => {
  await open(page, '');
  await open(page, `?node=${await leafOf(page, 150)}`);
  await page.locator('.items button').first().click();
  await settle(page);
  await shoot(page, 'item');
});
test('filters and colours', async ({ page }) => {
  await open(page, '?color=column:section&f.size=500..20000');
  await page.keyboard.press('f');
  await settle(page);
  await shoot(page, 'filters');
});
test('a comparison, dark', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await open(page, '');
  const [first, second] = await page.evaluate(() => (document.querySelector('.map') as any).engine.tree.children[0].slice(2, 4));
  await open(page, `?node=${first}&compare=${second}`);
  await shoot(page, 'compare-dark');
});
test('a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, '');
  await shoot(page, 'phone');
});
