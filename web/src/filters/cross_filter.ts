import { kMissing, type ColumnValues } from '../api/types';
import { binCounts, codeCounts, type Accepts } from './columns';
import type { Filter } from './filter';

const kDay = 86400;

// Filters on several columns at once. Each has a bit, set for the items that it holds back, so
// counting what passes all filters but one's own is a comparison of an integer per item.
export class CrossFilter {
  private readonly held: Uint32Array;
  private readonly bits = new Map<string, number>();

  constructor(readonly n: number) {
    this.held = new Uint32Array(n);
  }

  get isActive(): boolean {
    return this.bits.size > 0;
  }
  passes(item: number): boolean {
    return this.held[item] === 0;
  }
  countPassing(): number {
    let n = 0;
    for (let item = 0; item < this.n; ++item) n += this.held[item] === 0 ? 1 : 0;
    return n;
  }

  // Throws RangeError beyond 32 filters.
  set(name: string, column: ColumnValues, filter: Filter | null): void {
    const bit = this.bits.get(name) ?? this.freeBit();
    if (filter) this.bits.set(name, bit);
    else this.bits.delete(name);
    const accepts = filter ? accepting(column, filter) : () => true;
    for (let item = 0; item < this.n; ++item) {
      if (accepts(item)) this.held[item] &= ~bit;
      else this.held[item] |= bit;
    }
  }

  clear(): void {
    this.held.fill(0);
    this.bits.clear();
  }

  // Of the items that pass all filters but that on this column.
  histogram(name: string, values: Float64Array, min: number, max: number, nBins: number) {
    return binCounts(values, min, max, nBins, this.passesOthers(name));
  }
  facets(name: string, codes: Uint32Array, nTexts: number) {
    return codeCounts(codes, nTexts, this.passesOthers(name));
  }

  // How many items at or below each topic pass. nodeOf [n], parent [n_topics], parents first.
  topicCounts(nodeOf: Uint32Array, parent: Uint32Array): Uint32Array {
    const counts = new Uint32Array(parent.length);
    for (let item = 0; item < this.n; ++item) {
      if (this.held[item] === 0 && nodeOf[item] !== kMissing) ++counts[nodeOf[item]];
    }
    for (let node = parent.length - 1; node > 0; --node) counts[parent[node]] += counts[node];
    return counts;
  }

  private passesOthers(name: string) {
    const others = ~(this.bits.get(name) ?? 0);
    return (item: number) => (this.held[item] & others) === 0;
  }
  private freeBit(): number {
    const used = [...this.bits.values()].reduce((all, bit) => all | bit, 0);
    for (let i = 0; i < 32; ++i) if ((used & (1 << i)) === 0) return 1 << i;
    throw new RangeError('there are at most 32 filters at a time');
  }
}

// Which items a filter lets pass.
export function accepting(column: ColumnValues, filter: Filter): Accepts {
  if (column.kind === 'category') {
    const chosen = new Set(filter.kind === 'values' ? filter.values : []);
    const isChosen = Uint8Array.from(column.texts, (text) => (chosen.has(text) ? 1 : 0));
    const missingChosen = chosen.has(null);
    const { codes } = column;
    return (item) => (codes[item] === kMissing ? missingChosen : isChosen[codes[item]] === 1);
  }
  const { values } = column;
  if (filter.kind !== 'range') return () => true;
  const { from } = filter;
  // All of the last day belongs to a range of dates, as it does where the server filters.
  const to = column.kind === 'date' ? (Math.floor(filter.to / kDay) + 1) * kDay - 1e-3 : filter.to;
  return (item) => values[item] >= from && values[item] <= to; // a NaN is held back
}
