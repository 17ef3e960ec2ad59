import { deflateSync } from 'node:zlib';
import type { Page } from '@playwright/test';

// A screenshot with 256 colours, a third of the size: pictures of documents stay in git for ever.
export async function smallPng(page: Page, png: Buffer): Promise<Buffer> {
  const { width, height, rgba } = await page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height).data;
    let text = '';
    for (let i = 0; i < pixels.length; i += 0x8000) text += String.fromCharCode(...pixels.subarray(i, i + 0x8000));
    return { width: image.width, height: image.height, rgba: btoa(text) };
  }, png.toString('base64'));
  return indexed(width, height, Buffer.from(rgba, 'base64'));
}

// The most frequent colours are kept as they are, others become the nearest of them.
function indexed(width: number, height: number, rgba: Buffer): Buffer {
  const n = width * height;
  const color = (i: number) => (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2];
  const counts = new Map<number, number>();
  for (let i = 0; i < n; ++i) counts.set(color(i), (counts.get(color(i)) ?? 0) + 1);
  const byCount = [...counts].sort((a, b) => b[1] - a[1]).map(([c]) => c);
  const distance = (a: number, b: number) => {
    const [r, g, bl] = [(a >> 16) - (b >> 16), ((a >> 8) & 255) - ((b >> 8) & 255), (a & 255) - (b & 255)];
    return r * r + g * g + bl * bl;
  };
  // Half the palette by number, half spread over what those miss.
  const palette = byCount.slice(0, 128);
  for (const c of byCount) {
    if (palette.length === 256) break;
    if (palette.every((p) => distance(p, c) > 300)) palette.push(c);
  }
  const index = new Map(byCount.map((c) => {
    let best = 0;
    for (let i = 1; i < palette.length; ++i) if (distance(palette[i], c) < distance(palette[best], c)) best = i;
    return [c, best];
  }));
  const rows = Buffer.alloc(height * (width + 1)); // each begins with its filter: none
  for (let i = 0; i < n; ++i) rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = index.get(color(i))!;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits, palette
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap((c) => [c >> 16, (c >> 8) & 255, c & 255]))),
    chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const result = Buffer.alloc(body.length + 8);
  result.writeUInt32BE(data.length, 0);
  body.copy(result, 4);
  result.writeUInt32BE(crc32(body), body.length + 4);
  return result;
}
function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let i = 0; i < 8; ++i) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
