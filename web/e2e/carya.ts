import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';

const kProgram = process.env.CARYA ?? '../build/release/apps/carya';

export interface Served {
  url: string;
  stop(): void;
}

// Themes with words of their own, metadata of every kind, and texts that mean harm to a page.
const kThemes = {
  music: ['guitar', 'melody', 'chord', 'violin', 'rhythm', 'orchestra', 'singer', 'drum'],
  cooking: ['soup', 'oven', 'recipe', 'flour', 'butter', 'roast', 'kitchen', 'spice'],
  chess: ['bishop', 'opening', 'checkmate', 'pawn', 'endgame', 'knight', 'gambit', 'rook'],
  sailing: ['harbour', 'anchor', 'mast', 'tide', 'regatta', 'keel', 'wind', 'buoy'],
  gardens: ['tulip', 'compost', 'hedge', 'seedling', 'pruning', 'orchard', 'rose', 'soil'],
  weather: ['storm', 'forecast', 'drizzle', 'barometer', 'thunder', 'frost', 'sunshine', 'cloud'],
};

export function fixtureLines(n: number): string {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff; // the same items on every machine
    return Math.floor((state / 0x80000000) * below);
  };
  const names = Object.keys(kThemes) as (keyof typeof kThemes)[];
  return Array.from({ length: n }, (_, i) => {
    const theme = names[i % names.length];
    const words = Array.from({ length: 9 }, () => kThemes[theme][random(8)]);
    const text = i === 7 ? `<img src=x onerror="document.title='hacked'"> guitar & <b>melody</b>` : words.join(' ');
    return JSON.stringify({
      id: `item${i}`, text, theme: theme === 'chess' ? "chess 'n' rooks" : theme,
      price: i % 50 === 0 ? null : Math.round(Math.exp(random(1000) / 100)),
      when: new Date(Date.UTC(2020, random(48), 1 + random(28))).toISOString().slice(0, 10),
    });
  }).join('\n');
}

const folder = mkdtempSync(join(tmpdir(), 'carya-e2e-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

let built: string | null = null;
export function fixtureAtlas(): string {
  if (built) return built;
  built = join(folder, 'fixture.atlas');
  const input = join(folder, 'fixture.jsonl');
  writeFileSync(input, fixtureLines(1200));
  execFileSync(kProgram, ['atlas', input, '--encoder', 'lsa', '-o', built], { stdio: 'pipe' });
  return built;
}

export function exportPage(atlas: string): string {
  const page = join(folder, 'page.html');
  execFileSync(kProgram, ['export', atlas, '--format', 'html', '-o', page], { stdio: 'pipe' });
  return page;
}

// With CARYA_DIST=dist the page is that of `npm run build`, and only the answers are the program's: no
// need to link it after each change here.
export async function useBuild(page: Page): Promise<void> {
  const dist = process.env.CARYA_DIST;
  if (!dist) return;
  await page.route((url) => url.protocol === 'http:' && !url.pathname.startsWith('/api/'), (route) => {
    const name = new URL(route.request().url()).pathname.replace('/assets/', '').replace('/', '');
    return route.fulfill({ path: join(dist, name || 'index.html') });
  });
}

// Waits for the address that the program prints.
export function serve(atlases: string[], options: string[] = []): Promise<Served> {
  const child: ChildProcess = spawn(kProgram, ['serve', ...atlases, '--port', '0', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (data: Buffer) => {
      output += data.toString();
      const url = /http:\/\/\S+/.exec(output)?.[0];
      if (url && output.includes('\n', output.indexOf(url))) resolve({ url, stop: () => child.kill() });
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    child.on('exit', (code) => reject(new Error(`carya serve ended with ${code}: ${output}`)));
  });
}
