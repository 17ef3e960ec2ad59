import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from './api';
import { HttpApi, takeToken } from './http';
import { PageApi, type PageExport } from './page';
import { Safetensors } from './safetensors';
import { WordIndex } from './word_index';

type Arrays = Record<string, Float64Array | Float32Array | Uint32Array | Uint8Array>;
const kNames = new Map<Function, string>([[Float64Array, 'F64'], [Float32Array, 'F32'], [Uint32Array, 'U32'], [Uint8Array, 'U8']]);

// pad: bytes that move the arrays off their alignment.
function safetensors(arrays: Arrays, metadata: Record<string, string> = {}, pad = 0, shape?: number[]): ArrayBuffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let size = 0;
  for (const [name, array] of Object.entries(arrays)) {
    header[name] = { dtype: kNames.get(array.constructor), shape: shape ?? [array.length], data_offsets: [size, size + array.byteLength] };
    size += array.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header) + ' '.repeat(pad));
  const bytes = new Uint8Array(8 + json.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  let at = 8 + json.length;
  for (const array of Object.values(arrays)) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  return bytes.buffer;
}
const base64 = (buffer: ArrayBuffer) => Buffer.from(buffer).toString('base64');

describe('safetensors', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('are read at any alignment (%d)', (pad) => {
    const file = Safetensors.parse(safetensors({ a: Uint8Array.of(7), b: Float64Array.of(0.1, NaN), c: Uint32Array.of(1, 4294967295) }, { total: '3' }, pad));
    expect(file.f64('b')[0]).toBe(0.1);
    expect(file.u32('c')[1]).toBe(4294967295);
    expect(file.metadata.total).toBe('3');
  });
  it('that are damaged say so', () => {
    const whole = safetensors({ b: Float64Array.of(1, 2) });
    expect(() => Safetensors.parse(whole.slice(0, -4)).f64('b')).toThrow(ApiError);
    expect(() => Safetensors.parse(new ArrayBuffer(3))).toThrow(ApiError);
    expect(() => Safetensors.parse(whole).u32('b')).toThrow('F64');
    expect(() => Safetensors.parse(whole).f64('x')).toThrow("'x'");
  });
});

describe('the HTTP client', () => {
  const storage = new Map<string, string>();
  beforeEach(() => {
    storage.clear();
    vi.stubGlobal('sessionStorage', { getItem: (key: string) => storage.get(key) ?? null, setItem: (key: string, value: string) => storage.set(key, value) });
  });
  afterEach(() => vi.unstubAllGlobals());
  const answer = (status: number, body: unknown) => {
    const fetch = vi.fn(async (_path: string, _init?: RequestInit) => new Response(JSON.stringify(body), { status }));
    vi.stubGlobal('fetch', fetch);
    return fetch;
  };

  it('asks with names, conditions and the token', async () => {
    storage.set('carya-token', 'secret');
    const fetch = answer(200, { columns: [{ name: 'a b', kind: 'number' }] });
    const api = new HttpApi('my atlas/1');
    await api.info();
    await api.search({ query: 'c++ & more', mode: 'lexical', node: 3, filters: new Map([['a b', { kind: 'range', from: 1, to: 2 }]]) });
    const [path, init] = fetch.mock.calls[1];
    const url = new URL(path, 'http://x');
    expect(url.pathname).toBe('/api/v1/atlases/my%20atlas%2F1/search');
    expect(url.searchParams.get('query')).toBe('c++ & more');
    expect(url.searchParams.get('where')).toBe("'a b' >= 1 and 'a b' <= 2");
    expect(new Headers(init!.headers).get('Authorization')).toBe('Bearer secret');
  });
  it('sends long queries by POST', async () => {
    const fetch = answer(200, {});
    await new HttpApi('a').searchBrief({ query: 'x'.repeat(2000), mode: 'hybrid' });
    expect(fetch.mock.calls[0][1]!.method).toBe('POST');
    expect(JSON.parse(fetch.mock.calls[0][1]!.body as string)).toMatchObject({ brief: true, mode: 'hybrid' });
  });
  it('turns problems into sentences', async () => {
    answer(404, { detail: 'there is no topic 99' });
    await expect(new HttpApi('a').topic(99)).rejects.toMatchObject({ kind: 'not-found', message: 'there is no topic 99' });
    answer(401, { detail: 'a token is needed' });
    await expect(new HttpApi('a').topic(0)).rejects.toMatchObject({ kind: 'unauthorized' });
    vi.stubGlobal('fetch', async () => { throw new TypeError('failed'); });
    await expect(new HttpApi('a').topic(0)).rejects.toMatchObject({ kind: 'unreachable' });
  });
  it('takes the token out of the address', () => {
    const replaceState = vi.fn();
    const keep = { setItem: (key: string, value: string) => storage.set(key, value) } as unknown as Storage;
    takeToken({ hash: '#token=abc', pathname: '/', search: '?q=1' } as Location, { state: null, replaceState } as unknown as History, keep);
    expect(storage.get('carya-token')).toBe('abc');
    expect(replaceState).toHaveBeenCalledWith(null, '', '/?q=1');
  });
});

describe('search by words', () => {
  const index = new WordIndex(['a chess game', 'Chess engines: chess, chess', 'a chessboard', 'cooking', '']);
  const found = (query: string) => index.search(query, () => true).map(({ item }) => item);
  it('ranks as BM25 does, with beginnings of words after whole ones', () => {
    expect(found('chess')).toEqual([1, 0, 2]);
    expect(found('che')).toHaveLength(3);
    expect(found('games')).toEqual([0]);
    expect(found('nothing')).toEqual([]);
    expect(found('"(')).toEqual([]);
  });
  it('prefers what has more of the words', () => {
    expect(found('chess game')[0]).toBe(0);
  });
  it('only finds what may be found', () => {
    expect(index.search('chess', (item) => item === 2).map(({ item }) => item)).toEqual([2]);
  });
  it('shows matches in the text, whole', () => {
    expect(index.snippet(1, 'chess')).toEqual([
      { text: 'Chess', match: true }, { text: ' engines: ', match: false }, { text: 'chess', match: true },
      { text: ', ', match: false }, { text: 'chess', match: true },
    ]);
    const long = new WordIndex([`${'word '.repeat(200)}needle <b>`]);
    const pieces = long.snippet(0, 'needle');
    expect(pieces.some(({ match, text }) => match && text === 'needle')).toBe(true);
    expect(pieces.map(({ text }) => text).join('').length).toBeLessThan(310);
  });
});

describe('an exported page', () => {
  const none = 4294967295;
  const page: PageExport = {
    limits: 'Texts are cut.',
    info: {
      name: 'small', n_items: 4, dim: 2, n_topics: 3, n_leaves: 2, max_depth: 1, n_outliers: 1, encoder: '', method: '', has_texts: true,
      columns: [
        { name: 'size', kind: 'number', n_missing: 1, n_distinct: 3, min: 0, max: 10 },
        { name: 'kind', kind: 'category', n_missing: 1, n_distinct: 2, min: null, max: null },
        { name: 'url', kind: 'text', n_missing: 0, n_distinct: 4, min: null, max: null },
      ],
    },
    tree: { node: 0, name: 'all', size: 4, keywords: ['all'], children: [
      { node: 1, name: 'games', size: 2, keywords: ['chess', 'play'], children: [] },
      { node: 2, name: 'food', size: 2, keywords: ['cook', 'play'], children: [] },
    ] },
    exemplars: [[], [0], [2]],
    nodes: base64(safetensors({ parent: Uint32Array.of(none, 0, 0), size: Uint32Array.of(4, 2, 2), angle: new Float64Array(3), distance: new Float64Array(3), half_arc: new Float64Array(3), item_radius: new Float64Array(3) })),
    items: base64(safetensors({ item: Uint32Array.of(3, 2, 1, 0), node: Uint32Array.of(2, 2, 1, 1), angle: new Float32Array(4), distance: new Float32Array(4), strength: Float32Array.of(0.1, 0.9, 0.5, 0.75), outlier: Uint8Array.of(1, 0, 0, 0) })),
    columns: {
      size: base64(safetensors({ values: Float64Array.of(0, 10, 4, NaN) })),
      kind: base64(safetensors({ codes: Uint32Array.of(0, 0, 1, none) }, { values: '["a","b"]' })),
    },
    ids: ['zero', 'one', 'two', 'three'],
    texts: ['chess game', 'chess board', 'soup recipe', 'bread recipe'],
    neighbors: base64(safetensors({ neighbors: Uint32Array.of(1, none, 0, none, 3, none, 2, 0) }, {}, 0, [4, 2])),
  };
  const api = new PageApi(page);

  it('tells of topics as the server does', async () => {
    const topic = await api.topic(2);
    expect(topic).toMatchObject({ name: 'food', outliers: 1, path: [{ node: 0 }, { node: 2 }], exemplars: [{ id: 'two', text: 'soup recipe' }] });
    const [size, kind] = topic.columns;
    expect(size.topic.reduce((a, b) => a + b)).toBe(1);
    expect(size.missing).toEqual([1, 1]);
    expect(kind).toMatchObject({ values: ['b', 'a'], topic: [1, 0], parent: [1, 2], other: [0, 0], missing: [1, 1] });
  });
  it('lists items by strength, under filters', async () => {
    expect((await api.topicItems(0, 1, 2)).items.map(({ id }) => id)).toEqual(['zero', 'one']);
    const list = await api.topicItems(0, 0, 9, new Map([['kind', { kind: 'values', values: ['a'] }]]));
    expect(list.total).toBe(2);
  });
  it('has items with metadata and neighbours', async () => {
    expect(await api.item(3)).toMatchObject({
      id: 'three', text: 'bread recipe', outlier: true, metadata: { size: null, kind: null },
      neighbors: [{ id: 'two' }, { id: 'zero' }],
    });
    await expect(api.item(9)).rejects.toThrow(ApiError);
  });
  it('searches within topics and filters', async () => {
    expect((await api.search({ query: 'recipe', mode: 'lexical', limit: 1 })).more).toBe(true);
    const within = await api.search({ query: 'recipe chess', mode: 'lexical', node: 1 });
    expect(within.hits.map(({ id, topic }) => [id, topic])).toEqual([['zero', 'games'], ['one', 'games']]);
    const sized = await api.searchBrief({ query: 'recipe chess', mode: 'lexical', filters: new Map([['size', { kind: 'range', from: 4, to: 10 }]]) });
    expect(sized.hits.map(({ item }) => item).sort()).toEqual([1, 2]);
  });
  it('compares topics', async () => {
    expect(await api.compare(1, 2)).toMatchObject({
      common: { node: 0 }, keywords: { shared: ['play'], first: ['chess'], second: ['cook'] },
      columns: [{ name: 'size', medians: [5, 4] }, { name: 'kind', shares: [{ value: 'a', first: 1, second: 0 }, { value: 'b', first: 0, second: 0.5 }] }],
    });
  });
});
