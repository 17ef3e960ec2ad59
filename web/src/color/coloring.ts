import { kMissing, type ColumnValues } from '../api/types';
import { categories, grey, mix, sequential, type Rgb } from './palette';

// What items are coloured by: 'topic', 'strength' (how sure they are of their topic), or a column.
export type ColorBy = 'topic' | 'strength' | `column:${string}`;

export interface Legend {
  title: string;
  kind: 'topics' | 'categories' | 'range';
  entries: { label: string; color: Rgb; value: string | null; node?: number }[];
  range?: { min: number; max: number; isDate: boolean; ramp: Rgb[] };
}
export interface Coloring {
  colorOf: (item: number, node: number) => Rgb;
  legend: Legend;
}

const kRampSteps = 12;
const ramp = (dark: boolean) =>
  Array.from({ length: kRampSteps }, (_, i) => sequential(i / (kRampSteps - 1), dark));

export function byCategory(title: string, codes: Uint32Array, texts: string[], dark: boolean): Coloring {
  const hues = categories(dark); // texts come the most frequent first: those get a hue
  const rest = grey(dark);
  const none = mix(rest, dark ? [0, 0, 0] : [255, 255, 255], 0.35);
  const entries: Legend['entries'] = texts
    .slice(0, hues.length)
    .map((label, i) => ({ label, value: label, color: hues[i] }));
  if (texts.length > hues.length) {
    entries.push({ label: `${texts.length - hues.length} others`, value: null, color: rest });
  }
  return {
    colorOf: (item) => (codes[item] === kMissing ? none : (hues[codes[item]] ?? rest)),
    legend: { title, kind: 'categories', entries },
  };
}

// Long tails are common (sizes, prices): when they would leave nearly all items one colour, values
// are coloured by their rank's place between the ends instead, through a table of quantiles.
export function byNumber(title: string, values: Float64Array, isDate: boolean, dark: boolean): Coloring {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const min = sorted[0] ?? 0;
  const max = sorted[sorted.length - 1] ?? 1;
  const none = grey(dark);
  const table = Array.from({ length: 256 }, (_, i) => sequential(i / 255, dark));
  const quantiles = Float64Array.from({ length: 257 }, (_, i) => sorted[Math.min(Math.floor((i / 256) * sorted.length), sorted.length - 1)]);
  const rank = (value: number) => {
    let low = 0;
    let high = 256;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (quantiles[middle] < value) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, 255);
  };
  const isSkewed = sorted.length > 0 && (quantiles[192] - min) / (max - min || 1) < 0.1;
  const place = isSkewed ? rank : (value: number) => Math.round(((value - min) / (max - min || 1)) * 255);
  return {
    colorOf: (item) => (Number.isNaN(values[item]) ? none : table[place(values[item])]),
    legend: {
      title: isSkewed ? `${title} (by rank)` : title, kind: 'range', entries: [],
      range: { min, max, isDate, ramp: ramp(dark) },
    },
  };
}

export function byStrength(strengthOf: (item: number) => number, dark: boolean): Coloring {
  const table = Array.from({ length: 256 }, (_, i) => sequential(i / 255, dark));
  return {
    colorOf: (item) => table[Math.round(Math.min(Math.max(strengthOf(item) || 0, 0), 1) * 255)],
    legend: {
      title: 'strength (0: outlier)', kind: 'range', entries: [],
      range: { min: 0, max: 1, isDate: false, ramp: ramp(dark) },
    },
  };
}

export function byColumn(title: string, column: ColumnValues, dark: boolean): Coloring {
  return column.kind === 'category'
    ? byCategory(title, column.codes, column.texts, dark)
    : byNumber(title, column.values, column.kind === 'date', dark);
}

export function byTopic(colors: Rgb[], entries: Legend['entries']): Coloring {
  return { colorOf: (_, node) => colors[node], legend: { title: 'topic', kind: 'topics', entries } };
}
