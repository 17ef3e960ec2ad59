import { test, type Page } from '@playwright/test';
import { serve, useBuild, type Served } from './carya';

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
const shoot = (page: Page, name: string) => page.screenshot({ path: `${kFolder}/explorer-${name}.png` });
const largest = (page: Page, depth: number) => page.evaluate((depth) => {
  const { tree } = (document.querySelector('.map') as any).engine;
  let node = 0;
  for (let level = 0; level < depth && tree.children[node].length > 0; ++level) {
    node = tree.children[node].reduce((a: number, b: number) => (tree.layout.size[b] > tree.layout.size[a] ? b : a));
  }
  return node as number;
}, depth);

test('the whole', async ({ page }) => {
  await open(page, '');
  await shoot(page, 'overview');
});
test('a topic', async ({ page }) => {
  await open(page, '');
  const node = await largest(page, 1);
  await open(page, `?node=${node}`);
  await shoot(page, 'topic');
});
test('items up close, dark', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await open(page, '');
  const node = await largest(page, 3);
  await open(page, `?node=${node}`);
  await shoot(page, 'items-dark');
});
test('a search', async ({ page }) => {
  await open(page, '?q=chess+engine');
  await page.locator('.hit').first().click();
  await settle(page);
  await shoot(page, 'search');
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
