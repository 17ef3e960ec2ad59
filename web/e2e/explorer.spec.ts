import { expect, test, type Page } from '@playwright/test';
import { exportPage, fixtureAtlas, serve, useBuild, type Served } from './carya';

let server: Served;
test.beforeAll(async () => {
  server = await serve([fixtureAtlas()]);
});
test.afterAll(() => server.stop());
test.beforeEach(({ page }) => useBuild(page));

const problems: string[] = [];
test.beforeEach(({ page }) => {
  problems.length = 0;
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|ERR_CONNECTION/.test(message.text())) problems.push(message.text());
  });
});
test.afterEach(() => expect(problems).toEqual([]));

async function open(page: Page, query = ''): Promise<void> {
  await page.goto(`${server.url}${query}`);
  await expect(page.getByRole('searchbox')).toBeVisible();
  await expect.poll(() => page.evaluate(() => mapEngine().items.n)).toBeGreaterThan(0);
}
// Runs in the page: what the map holds of itself for tests.
declare function mapEngine(): any;
test.beforeEach(({ page }) => page.addInitScript(() => {
  Object.assign(window, { mapEngine: () => (document.querySelector('.map') as any)?.engine });
}));
const focusDistance = (page: Page) => page.evaluate(() => Math.hypot(mapEngine().view.motion[2], mapEngine().view.motion[3]));
const anchor = (page: Page) => page.evaluate(() => mapEngine().view.anchor as number);
const map = (page: Page) => page.locator('canvas.top');
const topicRow = (page: Page, n: number) => page.getByRole('treeitem').nth(n);

test('opens with the map, the tree and no error', async ({ page }) => {
  await open(page);
  await expect(page.getByRole('treeitem').first()).toContainText('1,200');
  await expect(page.getByRole('searchbox')).toHaveAttribute('placeholder', 'Search 1,200 items');
  const drawn = await page.evaluate(() => mapEngine().gl !== null && mapEngine().items.n);
  expect(drawn).toBe(1200);
});

test('flies to a topic that is chosen in the tree, and back', async ({ page }) => {
  await open(page);
  const name = await topicRow(page, 1).locator('.name').innerText();
  await topicRow(page, 1).click();
  await expect(page.getByRole('heading', { name, level: 2 })).toBeVisible();
  await expect(page).toHaveURL(/node=\d+/);
  await expect.poll(() => anchor(page)).toBeGreaterThan(0);
  await expect(page.getByText('Exemplars')).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('heading', { name, level: 2 })).toBeHidden();
  await expect.poll(() => anchor(page)).toBe(0);
  await page.goForward();
  await expect(page.getByRole('heading', { name, level: 2 })).toBeVisible();
});

test('flies along the way where motion is welcome', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await open(page);
  await topicRow(page, 2).click();
  await expect(page).toHaveURL(/node=\d+.*at=/);
  const node = Number(new URL(page.url()).searchParams.get('node'));
  expect(await anchor(page)).toBe(node);
  expect(await focusDistance(page)).toBeLessThan(1e-6);
});

test('is dragged: the point under the hand stays there', async ({ page }) => {
  await open(page);
  const box = (await map(page).boundingBox())!;
  const from = { x: box.x + 1000, y: box.y + 380 };
  const to = { x: from.x + 130, y: from.y + 60 };
  // The node nearest to where the drag begins, seen before and after.
  const seen = () => page.evaluate(() => {
    const { view, frame } = mapEngine();
    const [ar, ai, br, bi] = mapEngine().tree.motionOf(view, 0);
    const distance = 2 * Math.asinh(Math.hypot(br, bi));
    const angle = Math.atan2(br * ai + bi * ar, br * ar - bi * ai);
    const radius = frame.radius * Math.tanh(distance / (2 * view.reach));
    return { x: frame.x + radius * Math.cos(angle), y: frame.y - radius * Math.sin(angle) };
  });
  const root = await seen();
  await page.mouse.move(root.x, root.y);
  await page.mouse.down();
  await page.mouse.move(root.x + 8, root.y, { steps: 2 });
  await page.mouse.move(root.x + to.x - from.x, root.y + to.y - from.y, { steps: 8 });
  await page.mouse.up();
  const moved = await seen();
  expect(Math.abs(moved.x - (root.x + 130))).toBeLessThan(3);
  expect(Math.abs(moved.y - (root.y + 60))).toBeLessThan(3);
  await expect(page).toHaveURL(/at=/);
});

test('comes nearer by the wheel', async ({ page }) => {
  await open(page);
  const reach = () => page.evaluate(() => mapEngine().view.reach as number);
  const before = await reach();
  await map(page).hover({ position: { x: 1050, y: 300 } });
  for (let i = 0; i < 5; ++i) await page.mouse.wheel(0, -200);
  await expect.poll(reach).toBeLessThan(before / 2);
  expect(await focusDistance(page)).toBeGreaterThanOrEqual(0);
  await page.keyboard.press('0');
  await expect.poll(reach).toBeCloseTo(before, 6);
});

test('shows what is under the pointer; a click opens it', async ({ page }) => {
  await open(page);
  // Some item, on the screen.
  const at = await page.evaluate(() => {
    const engine = mapEngine();
    for (let x = 700; x < 1400; x += 3) {
      for (let y = 100; y < 800; y += 7) if (engine.pick({ x, y })?.kind === 'item') return { x, y };
    }
    return null;
  });
  expect(at).not.toBeNull();
  await page.mouse.move(at!.x, at!.y);
  await expect(page.locator('.tooltip')).toContainText(/\w{3}/);
  await page.mouse.click(at!.x, at!.y);
  await expect(page.getByText('Nearest items')).toBeVisible();
  await expect(page).toHaveURL(/item=\d+/);
});

test('searches as one types, with matches highlighted, and marks the map', async ({ page }) => {
  await open(page);
  await page.keyboard.press('/');
  await page.keyboard.type('guitar', { delay: 30 });
  await expect(page.locator('.hit').first()).toBeVisible();
  await expect(page.locator('.hit mark').first()).toHaveText(/guitar/i);
  await expect(page.getByRole('status').filter({ hasText: 'hits' })).toBeVisible();
  await expect.poll(() => page.evaluate(() => mapEngine().gl.nHits as number)).toBeGreaterThan(50);
  const first = await page.locator('.hit').count();
  await page.getByRole('button', { name: 'More', exact: true }).click();
  await expect.poll(() => page.locator('.hit').count()).toBeGreaterThan(first);
  await page.getByRole('button', { name: 'Words' }).click();
  await expect(page).toHaveURL(/mode=lexical/);
  await page.locator('.hit').first().click();
  await expect(page.getByText('Nearest items')).toBeVisible();
  await page.getByRole('button', { name: 'Clear the search' }).click();
  await expect(page.getByRole('tree')).toBeVisible();
});

test('texts that are HTML stay texts', async ({ page }) => {
  await open(page, '?item=7&q=onerror&mode=lexical');
  await expect(page.locator('.text').filter({ hasText: '<img src=x' }).first()).toBeVisible();
  expect(await page.title()).not.toContain('hacked');
  expect(await page.locator('img').count()).toBe(0);
});

test('nothing found says what to do', async ({ page }) => {
  await open(page, '?q=xyzzy&mode=lexical');
  await expect(page.getByText('No item fits “xyzzy”')).toBeVisible();
  await page.getByRole('button', { name: 'Search by meaning, too' }).click();
  await expect(page).not.toHaveURL(/mode=lexical/);
});

test('filters cross: facets, histogram, tree, search', async ({ page }) => {
  await open(page);
  await page.keyboard.press('f');
  await page.getByRole('checkbox', { name: /chess 'n' rooks/ }).check();
  await expect(page.locator('.summary')).toContainText('200');
  // A brush over the upper half of the prices.
  const histogram = page.getByRole('region', { name: 'Filter by price' }).locator('svg');
  const box = (await histogram.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.95, box.y + 20, { steps: 5 });
  await page.mouse.up();
  await expect(page).toHaveURL(/f\.price=/);
  const passing = Number((await page.locator('.summary strong').innerText()).replace(',', ''));
  expect(passing).toBeGreaterThan(10);
  expect(passing).toBeLessThan(200);
  await page.keyboard.press('t');
  await expect(page.getByRole('treeitem').first()).toContainText(String(passing));
  // The server is asked with the same condition, quotes and all.
  await page.keyboard.press('/');
  await page.keyboard.type('pawn');
  await expect(page.locator('.hit').first()).toBeVisible();
  await expect.poll(() => page.evaluate(() => mapEngine().gl.nHits as number)).toBeLessThanOrEqual(passing);
  const address = page.url();
  await page.goto('about:blank');
  await page.goto(address);
  await expect(page.getByRole('tab', { name: 'Filters (2)' })).toBeVisible();
  await expect(page.locator('.hit').first()).toBeVisible();
});

test('dates are filtered by keys, too', async ({ page }) => {
  await open(page);
  await page.keyboard.press('f');
  const slider = page.getByRole('slider', { name: 'when, least' });
  await slider.focus();
  for (let i = 0; i < 8; ++i) await page.keyboard.press('ArrowRight');
  await expect(page).toHaveURL(/f\.when=/);
  await expect(slider).toHaveAttribute('aria-valuetext', /20\d\d-\d\d-\d\d/);
  await page.keyboard.press('/');
  await page.keyboard.type('storm');
  await expect(page.locator('.hit').first()).toBeVisible();
});

test('colours by a column, with a legend that filters', async ({ page }) => {
  await open(page);
  await page.getByRole('combobox', { name: 'Colour by' }).selectOption('column:theme');
  const legend = page.getByRole('region', { name: 'Colours' });
  await legend.getByRole('button', { name: 'music' }).click();
  await expect(page).toHaveURL(/f\.theme=%3Dmusic/);
  await expect(page).toHaveURL(/color=column%3Atheme/);
  await legend.getByRole('button', { name: 'music' }).click();
  await expect(page).not.toHaveURL(/f\.theme/);
  await page.getByRole('combobox', { name: 'Colour by' }).selectOption('column:price');
  await expect(legend).toContainText('price');
  await page.getByRole('combobox', { name: 'Colour by' }).selectOption('strength');
  await expect(legend).toContainText('outlier');
});

test('walks the tree by the keyboard', async ({ page }) => {
  await open(page);
  const heading = page.locator('aside h2');
  await page.keyboard.press('ArrowDown'); // the root
  await page.keyboard.press('ArrowDown'); // its first child
  await expect(page).toHaveURL(/node=[1-9]/);
  const first = await heading.innerText();
  await page.keyboard.press('ArrowRight');
  await expect(heading).not.toHaveText(first);
  await page.keyboard.press('ArrowLeft');
  await expect(heading).toHaveText(first);
  await page.keyboard.press('ArrowUp');
  await expect(page).toHaveURL(/node=0/);
  await page.keyboard.press('Escape');
  await expect(heading).toBeHidden();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
});

test('compares two topics', async ({ page }) => {
  await open(page);
  await topicRow(page, 1).click();
  await page.getByRole('button', { name: 'Compare' }).click();
  await topicRow(page, 2).click();
  await expect(page).toHaveURL(/compare=\d+/);
  await expect(page.getByText('Two topics below')).toBeVisible();
  await expect(page.getByLabel('Only the first')).not.toBeEmpty();
});

test('a link shows the same to another', async ({ page }) => {
  await open(page);
  const [node, reach] = await page.evaluate(async () => {
    const child = mapEngine().tree.children[0][0];
    await mapEngine().flyTo(child, true, 0.9);
    return [child, 0.9];
  });
  await expect(page).toHaveURL(new RegExp(`at=${node}%2C`));
  await open(page, new URL(page.url()).search);
  await expect.poll(() => anchor(page)).toBe(node);
  expect(await page.evaluate(() => mapEngine().view.reach)).toBeCloseTo(reach, 3);
});

test('an address to what is not there opens all the same', async ({ page }) => {
  await open(page, '?node=99999&item=1e9&f.nothing=1..2&color=column:gone&at=1,2');
  await expect(page.getByRole('treeitem').first()).toBeVisible();
});

test('works on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page);
  await topicRow(page, 1).click();
  await expect(page.getByText('Exemplars')).toBeVisible();
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('tree')).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('a server that is gone is told, and waited for', async ({ page }) => {
  const mine = await serve([fixtureAtlas()]);
  await page.goto(mine.url);
  await expect(page.getByRole('tree')).toBeVisible();
  mine.stop();
  await topicRow(page, 1).click();
  await expect(page.getByRole('alert')).toContainText('carya serve');
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
});

test('an atlas that is not there is told', async ({ page }) => {
  await page.goto(`${server.url}?atlas=nothing`);
  await expect(page.getByRole('alert')).toContainText('nothing');
});

test('a token opens the door and leaves the address', async ({ page }) => {
  const mine = await serve([fixtureAtlas()], ['--token', 'secret123']);
  const plain = mine.url.split('#')[0];
  await page.goto(plain);
  await expect(page.getByRole('alert')).toContainText('token');
  await page.goto('about:blank');
  await page.goto(`${plain}#token=secret123`);
  await expect(page.getByRole('tree')).toBeVisible();
  expect(page.url()).not.toContain('secret123');
  mine.stop();
});

test('several atlases: one is chosen', async ({ page }) => {
  const mine = await serve([fixtureAtlas(), fixtureAtlas()]);
  await page.goto(mine.url);
  await page.getByRole('button', { name: /fixture-2/ }).click();
  await expect(page).toHaveURL(/atlas=fixture-2/);
  await expect(page.getByRole('tree')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'fixture-2' })).toBeVisible();
  mine.stop();
});

test('the exported page needs no server', async ({ page }) => {
  await page.goto(`file://${exportPage(fixtureAtlas())}`);
  await expect(page.getByRole('treeitem').first()).toContainText('1,200');
  await expect(page.getByText('searches by words alone')).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('guit');
  await expect(page.locator('.hit mark').first()).toHaveText(/guitar/i);
  await page.locator('.hit').first().click();
  await expect(page.getByText('Nearest items')).toBeVisible();
  await page.getByRole('tab', { name: 'Filters' }).click();
  await page.getByRole('checkbox', { name: /music/ }).check();
  await expect(page.locator('.summary')).toContainText('200');
  await page.getByRole('tab', { name: 'Topics' }).click();
  await topicRow(page, 1).click();
  await expect(page.getByText('Exemplars')).toBeVisible();
  await expect(page.getByText('Metadata')).toBeVisible();
});
