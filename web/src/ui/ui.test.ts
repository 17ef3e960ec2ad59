import { describe, expect, it } from 'vitest';
import type { Topic } from '../api/types';
import { flatten } from '../state/topics';
import { axisOf } from './axis';
import { count, counted, day, percent, shortNumber, shortText } from './format';
import { visibleRows, walk } from './tree_walk';

const topic = (node: number, size: number, children: Topic[] = []): Topic =>
  ({ node, name: `t${node}`, size, keywords: [], children });
const topics = flatten(topic(0, 10, [topic(1, 3), topic(2, 7, [topic(3, 7)])]));

describe('the tree', () => {
  it('is flat by number, children by size', () => {
    expect(topics.map(({ parent, depth }) => [parent, depth])).toEqual([[null, 0], [0, 1], [0, 1], [2, 2]]);
    expect(topics[0].children).toEqual([2, 1]);
  });
  it('is walked by the arrow keys', () => {
    expect(walk(topics, 0, 'ArrowDown')).toBe(2);
    expect(walk(topics, 2, 'ArrowRight')).toBe(1);
    expect(walk(topics, 1, 'ArrowRight')).toBe(2);
    expect(walk(topics, 3, 'ArrowUp')).toBe(2);
    expect(walk(topics, 0, 'ArrowUp')).toBeNull();
    expect(walk(topics, 1, 'ArrowDown')).toBeNull();
    expect(walk(topics, 99, 'ArrowUp')).toBeNull();
  });
  it('shows what is open and passes the filters', () => {
    expect(visibleRows(topics, new Set([0]), null)).toEqual([0, 2, 1]);
    expect(visibleRows(topics, new Set([0, 2]), null)).toEqual([0, 2, 3, 1]);
    expect(visibleRows(topics, new Set([0, 2]), Uint32Array.of(3, 3, 0, 0))).toEqual([0, 1]);
  });
});

describe('an axis', () => {
  it('is even for even values and ends where they end', () => {
    const axis = axisOf(Float64Array.from({ length: 101 }, (_, i) => i - 50), false);
    expect(axis.isLog).toBe(false);
    expect(axis.place(0)).toBe(0.5);
    expect([axis.rounded(0), axis.rounded(1)]).toEqual([-50, 50]);
  });
  it('is logarithmic for a long tail', () => {
    const axis = axisOf(Float64Array.from({ length: 100 }, (_, i) => Math.exp(i / 8)), false);
    expect(axis.isLog).toBe(true);
    expect(axis.value(axis.place(1000))).toBeCloseTo(1000, 6);
    expect(axis.rounded(0.5)).toBe(Number(axis.value(0.5).toPrecision(3)));
  });
  it('copes with one value, with none, and with gaps', () => {
    expect(axisOf(Float64Array.of(5, 5), false).place(5)).toBe(0);
    expect(axisOf(Float64Array.of(NaN), false).value(1)).toBe(1);
    expect([...axisOf(Float64Array.of(0, NaN, 2), false).places(Float64Array.of(0, NaN, 2))]).toEqual([0, NaN, 1]);
  });
  it('of dates is cut at days', () => {
    expect(axisOf(Float64Array.of(0, 86400 * 10), true).rounded(0.52) % 86400).toBe(0);
  });
});

it('numbers and texts are short', () => {
  expect([shortNumber(1234567), shortNumber(12345), shortNumber(0.12345), shortNumber(-2e9)]).toEqual(['1.23 M', '12.3 k', '0.123', '-2 G']);
  expect([count(1234), counted(1, 'item'), counted(2, 'item')]).toEqual(['1,234', '1 item', '2 items']);
  expect([percent(0), percent(0.012), percent(0.5)]).toEqual(['0 %', '1.2 %', '50 %']);
  expect(shortText('abcdef', 4)).toBe('abc…');
  expect([day(0), day(NaN)]).toEqual(['1970-01-01', '']);
});
