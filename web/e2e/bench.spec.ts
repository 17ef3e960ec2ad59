import { test } from '@playwright/test';
import { fixtureAtlas, serve, useBuild, type Served } from './carya';
import { synthetic } from './synthetic';

// Milliseconds of JavaScript at a million items: CARYA_BENCH=1000000 npm run e2e -- bench
const nItems = Number(process.env.CARYA_BENCH ?? 0);
test.skip(nItems === 0, 'CARYA_BENCH does not say how many items');
test.setTimeout(600_000);

let server: Served;
test.beforeAll(async () => {
  server = await serve([fixtureAtlas()]);
});
test.afterAll(() => server.stop());
test.beforeEach(({ page }) => useBuild(page));

test('the map at size', async ({ page }) => {
  const made = synthetic(nItems);
  const answers: [RegExp, object | Buffer][] = [
    [/\/atlases\/fixture$/, made.info], [/\/tree\?/, made.tree], [/layout\/nodes/, made.nodes],
    [/layout\/items/, made.items], [/columns\/value\/values/, made.values],
  ];
  for (const [pattern, body] of answers) {
    await page.route(pattern, (route) => route.fulfill(
      Buffer.isBuffer(body) ? { body, contentType: 'application/octet-stream' } : { json: body }));
  }
  await page.goto(server.url);
  await page.waitForFunction((n) => (document.querySelector('.map') as any)?.engine?.items.n === n, nItems, { timeout: 300_000 });
  const times = await page.evaluate(async (n) => {
    const { engine } = document.querySelector('.map') as any;
    engine.canvases.points.style.visibility = 'hidden';
    const time = (work: () => void, repeat: number) => {
      const start = performance.now();
      for (let i = 0; i < repeat; ++i) work();
      return ((performance.now() - start) / repeat).toFixed(2);
    };
    const gl = engine.gl;
    engine.gl = null; // the graphics card is software here: JavaScript alone is measured
    const { x, y } = engine.disk;
    let turn = 0;
    const frame = () => {
      engine.drag({ x: x + 100, y }, { x: x + 100, y: y + (turn++ % 2 ? 3 : -3) });
      engine.drawFrame(performance.now());
    };
    frame();
    const result: Record<string, string> = {
      topics: String(engine.tree.n),
      'frame, whole': time(frame, 40),
      'of it motions': time(() => engine.tree.motions(engine.view, engine.motions), 40),
      'pick (first: sorts)': time(() => engine.pick({ x: x + 150, y: y + 200 }), 1),
      pick: time(() => engine.pick({ x: x + 150, y: y + 200 }), 40),
      filter: time(() => engine.setFilter((item: number) => item % 2 === 0), 3),
    };
    await engine.flyTo(engine.tree.children[0][3], true);
    result['frame, at a topic'] = time(frame, 40);
    const buffer = new Uint8Array(4);
    engine.gl = gl;
    result['frame with software WebGL'] = time(() => {
      frame();
      gl.gl.readPixels(0, 0, 1, 1, gl.gl.RGBA, gl.gl.UNSIGNED_BYTE, buffer); // waits for it
    }, 3);
    return { items: n, ...result };
  }, nItems);
  console.log(times);
});
