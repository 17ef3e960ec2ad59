import type { SearchMode } from '../api/types';
import type { ColorBy } from '../color/coloring';
import type { Filter } from '../filters/filter';
import type { View } from '../geometry/disk_tree';
import { compose, inverse, motionTo, origin, rotation } from '../geometry/motion';

// Where one is in the explorer: all of it is in the address, so that a link shows the same.
export interface Place {
  atlas: string | null;
  node: number | null; // the topic whose page is open
  compare: number | null; // the topic that it is compared with
  item: number | null; // the item whose page is open, over that of the topic
  query: string;
  mode: SearchMode | null; // null: the best that there is
  scope: number | null; // search only below this topic
  color: ColorBy;
  filters: ReadonlyMap<string, Filter>;
  view: View | null; // null: what suits the topic
}

export const kNowhere: Place = {
  atlas: null, node: null, compare: null, item: null, query: '', mode: null, scope: null, color: 'topic',
  filters: new Map(), view: null,
};

const kFilterPrefix = 'f.';
const kNoValue = '~'; // of a choice: what has no value; texts begin with '='

export function toQuery(place: Place): string {
  const query = new URLSearchParams();
  const put = (name: string, value: string | number | null) => {
    if (value !== null && value !== '') query.set(name, String(value));
  };
  put('atlas', place.atlas);
  put('node', place.node);
  put('compare', place.compare);
  put('item', place.item);
  put('q', place.query);
  put('mode', place.mode);
  put('in', place.scope);
  put('color', place.color === 'topic' ? null : place.color);
  for (const [column, filter] of place.filters) {
    const name = kFilterPrefix + column;
    if (filter.kind === 'range') query.append(name, `${filter.from}..${filter.to}`);
    else for (const value of filter.values) query.append(name, value === null ? kNoValue : `=${value}`);
  }
  if (place.view) query.set('at', viewText(place.view));
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

// Whatever cannot be read is left out: a link from elsewhere may hold anything.
export function fromQuery(text: string): Place {
  const query = new URLSearchParams(text);
  const number = (name: string) => {
    const value = query.get(name);
    return value !== null && /^\d{1,10}$/.test(value) ? Number(value) : null;
  };
  const mode = query.get('mode');
  const color = query.get('color') ?? 'topic';
  return {
    atlas: query.get('atlas'),
    node: number('node'),
    compare: number('compare'),
    item: number('item'),
    query: query.get('q') ?? '',
    mode: mode === 'hybrid' || mode === 'vector' || mode === 'lexical' ? mode : null,
    scope: number('in'),
    color: color === 'strength' || color.startsWith('column:') ? (color as ColorBy) : 'topic',
    filters: filtersFrom(query),
    view: viewFrom(query.get('at')),
  };
}

function filtersFrom(query: URLSearchParams): Map<string, Filter> {
  const filters = new Map<string, Filter>();
  for (const name of new Set(query.keys())) {
    if (!name.startsWith(kFilterPrefix)) continue;
    const column = name.slice(kFilterPrefix.length);
    const texts = query.getAll(name);
    const range = /^(-?[\d.]+(?:e[+-]?\d+)?)\.\.(-?[\d.]+(?:e[+-]?\d+)?)$/.exec(texts[0]);
    if (range && !Number.isNaN(Number(range[1])) && !Number.isNaN(Number(range[2]))) {
      filters.set(column, { kind: 'range', from: Number(range[1]), to: Number(range[2]) });
      continue;
    }
    const values = texts.filter((value) => value === kNoValue || value.startsWith('='))
      .map((value) => (value === kNoValue ? null : value.slice(1)));
    if (values.length > 0) filters.set(column, { kind: 'values', values });
  }
  return filters;
}

// The anchor, where it is seen (angle, distance), how its frame is turned, and the reach.
function viewText({ anchor, motion, reach }: View): string {
  const place = origin(motion);
  const [ar, ai] = compose(inverse(motionTo(place)), motion);
  const turn = 2 * Math.atan2(ai, ar);
  return [anchor, ...[place.angle, place.distance, turn, reach].map((x) => Number(x.toFixed(4)))].join(',');
}

function viewFrom(text: string | null): View | null {
  const numbers = (text ?? '').split(',').map(Number);
  if (numbers.length !== 5 || !numbers.every(Number.isFinite)) return null;
  const [anchor, angle, distance, turn, reach] = numbers;
  if (!Number.isInteger(anchor) || anchor < 0 || distance < 0 || distance > 40 || reach <= 0) return null;
  return { anchor, motion: compose(motionTo({ angle, distance }), rotation(turn)), reach };
}
