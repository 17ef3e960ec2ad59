import { binCounts, codeCounts, edgesOf } from '../filters/columns';
import { kMissing, type ColumnInfo, type ColumnValues, type ComparedColumn, type Distribution } from './types';

const kBins = 20; // of a topic's page
const kValues = 10; // the most frequent there
const kShares = 5; // those that differ most, of a comparison

const all = () => true;

// A column within a topic and within its parent, as the server tells it.
export function distributionOf({ name, min, max }: ColumnInfo, column: ColumnValues, topic: number[],
                               parent: number[]): Distribution {
  if (column.kind !== 'category') {
    const counted = (items: number[]) =>
      binCounts(Float64Array.from(items, (item) => column.values[item]), min ?? 0, max ?? 1, kBins, all);
    const [here, there] = [counted(topic), counted(parent)];
    return {
      name, kind: column.kind, edges: edgesOf(min ?? 0, max ?? 1, kBins), topic: [...here.counts],
      parent: [...there.counts], other: [0, 0], missing: [here.missing, there.missing],
    };
  }
  const counted = (items: number[]) =>
    codeCounts(Uint32Array.from(items, (item) => column.codes[item]), column.texts.length, all);
  const [here, there] = [counted(topic), counted(parent)];
  const order = column.texts.map((_, code) => code).sort((a, b) => here.counts[b] - here.counts[a] || a - b);
  const shown = order.slice(0, kValues).filter((code) => here.counts[code] + there.counts[code] > 0);
  const rest = order.filter((code) => !shown.includes(code));
  const sum = (counts: Uint32Array) => rest.reduce((total, code) => total + counts[code], 0);
  return {
    name, kind: 'category', values: shown.map((code) => column.texts[code]),
    topic: shown.map((code) => here.counts[code]), parent: shown.map((code) => there.counts[code]),
    other: [sum(here.counts), sum(there.counts)], missing: [here.missing, there.missing],
  };
}

export function compareColumn(name: string, column: ColumnValues, first: number[], second: number[]): ComparedColumn {
  if (column.kind !== 'category') {
    return { name, medians: [median(column.values, first), median(column.values, second)] };
  }
  const shares = (items: number[]) => {
    const result = new Float64Array(column.texts.length);
    for (const item of items) if (column.codes[item] !== kMissing) result[column.codes[item]] += 1 / items.length;
    return result;
  };
  const [a, b] = [shares(first), shares(second)];
  const order = column.texts.map((_, code) => code)
    .filter((code) => a[code] + b[code] > 0)
    .sort((x, y) => Math.abs(a[y] - b[y]) - Math.abs(a[x] - b[x]) || x - y)
    .slice(0, kShares);
  return { name, shares: order.map((code) => ({ value: column.texts[code], first: a[code], second: b[code] })) };
}

function median(values: Float64Array, items: number[]): number | null {
  const known = Float64Array.from(items, (item) => values[item]).filter((value) => !Number.isNaN(value)).sort();
  if (known.length === 0) return null;
  const middle = known.length >> 1;
  return known.length % 2 === 1 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}
