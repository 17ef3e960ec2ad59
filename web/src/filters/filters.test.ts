import { describe, expect, it } from 'vitest';
import { kMissing, type ColumnInfo, type ColumnValues } from '../api/types';
import { CrossFilter } from './cross_filter';
import { binCounts, edgesOf } from './columns';
import { quoted, whereOf } from './where';

const all = () => true;
const sizes: ColumnValues = { kind: 'number', values: Float64Array.from([0, 1, 2, 3, 10, NaN]) };
const colours: ColumnValues = {
  kind: 'category', codes: Uint32Array.from([0, 0, 1, 1, 0, kMissing]), texts: ['red', 'blue'],
};
const info = (name: string, kind: ColumnInfo['kind']): ColumnInfo =>
  ({ name, kind, n_missing: 0, n_distinct: 2, min: 0, max: 10 });

describe('bins', () => {
  it('hold every value once, the greatest in the last', () => {
    const { counts, missing } = binCounts(sizes.kind === 'number' ? sizes.values : new Float64Array(), 0, 10, 5, all);
    expect([...counts]).toEqual([2, 2, 0, 0, 1]);
    expect(missing).toBe(1);
  });
  it('of one value are one bin', () => {
    expect([...binCounts(Float64Array.from([4, 4]), 4, 4, 3, all).counts]).toEqual([2, 0, 0]);
  });
  it('end exactly at the greatest value', () => {
    expect(edgesOf(0.1, 0.7, 3).at(-1)).toBe(0.7);
  });
});

describe('cross-filtering', () => {
  it('counts each column under the filters of the others', () => {
    const filter = new CrossFilter(6);
    filter.set('size', sizes, { kind: 'range', from: 1, to: 3 });
    filter.set('colour', colours, { kind: 'values', values: ['blue'] });
    expect(filter.countPassing()).toBe(2);
    if (sizes.kind !== 'number' || colours.kind !== 'category') throw new Error();
    expect([...filter.facets('colour', colours.codes, 2).counts]).toEqual([1, 2]);
    expect([...filter.histogram('size', sizes.values, 0, 10, 5).counts]).toEqual([0, 2, 0, 0, 0]);
    filter.set('colour', colours, null);
    expect(filter.countPassing()).toBe(3);
    filter.set('size', sizes, null);
    expect(filter.countPassing()).toBe(6);
    expect(filter.isActive).toBe(false);
  });
  it('can choose what has no value', () => {
    const filter = new CrossFilter(6);
    filter.set('colour', colours, { kind: 'values', values: [null] });
    expect(filter.passes(5)).toBe(true);
    expect(filter.countPassing()).toBe(1);
  });
  it('sums what passes up the tree', () => {
    const filter = new CrossFilter(6);
    filter.set('size', sizes, { kind: 'range', from: 0, to: 2 });
    const counts = filter.topicCounts(Uint32Array.from([1, 1, 2, 2, 0, 0]), Uint32Array.from([kMissing, 0, 0]));
    expect([...counts]).toEqual([3, 2, 1]);
  });
  it('takes all of the last day of a range of dates', () => {
    const filter = new CrossFilter(3);
    const when: ColumnValues = { kind: 'date', values: Float64Array.of(86400, 2 * 86400 + 80000, 3 * 86400) };
    filter.set('when', when, { kind: 'range', from: 86400, to: 2 * 86400 });
    expect([0, 1, 2].map((item) => filter.passes(item))).toEqual([true, true, false]);
  });
  it('takes 32 filters', () => {
    const filter = new CrossFilter(6);
    for (let i = 0; i < 32; ++i) filter.set(`${i}`, sizes, { kind: 'range', from: 0, to: 5 });
    expect(filter.countPassing()).toBe(4);
    expect(() => filter.set('x', sizes, { kind: 'range', from: 0, to: 5 })).toThrow('32');
  });
});

describe('conditions for the server', () => {
  it('double the quotes inside', () => {
    expect(quoted(`it's "so"`)).toBe(`'it''s "so"'`);
  });
  it('say ranges, choices and days', () => {
    const columns = [info("o'size", 'number'), info('colour', 'category'), info('when', 'date')];
    expect(whereOf(columns, new Map([
      ["o'size", { kind: 'range', from: 1, to: 2.5 }],
      ['colour', { kind: 'values', values: ['red', null] }],
      ['when', { kind: 'range', from: 86400 * 10, to: 86400 * 12 }],
    ]))).toBe(`'o''size' >= 1 and 'o''size' <= 2.5 and ('colour' in ('red') or 'colour' is null)` +
      ` and 'when' >= '1970-01-11' and 'when' < '1970-01-14'`);
  });
  it('are empty without filters', () => {
    expect(whereOf([info('a', 'number')], new Map())).toBe('');
  });
});
