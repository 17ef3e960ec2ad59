import { kMissing } from '../api/types';

// Counts over columns; the filters' panel and the exported page's distributions share them.
export type Accepts = (item: number) => boolean;

// n equal bins from min to max; the greatest value is in the last.
export function edgesOf(min: number, max: number, nBins: number): number[] {
  const edges = Array.from({ length: nBins + 1 }, (_, i) => min + ((max - min) * i) / nBins);
  edges[nBins] = max;
  return edges;
}

export function binCounts(values: Float64Array, min: number, max: number, nBins: number,
                          accepts: Accepts): { counts: Uint32Array; missing: number } {
  const counts = new Uint32Array(nBins);
  const scale = max > min ? nBins / (max - min) : 0;
  let missing = 0;
  for (let item = 0; item < values.length; ++item) {
    if (!accepts(item)) continue;
    const value = values[item];
    if (Number.isNaN(value)) ++missing;
    else ++counts[Math.min(Math.floor((value - min) * scale), nBins - 1)];
  }
  return { counts, missing };
}

export function codeCounts(codes: Uint32Array, nTexts: number,
                           accepts: Accepts): { counts: Uint32Array; missing: number } {
  const counts = new Uint32Array(nTexts);
  let missing = 0;
  for (let item = 0; item < codes.length; ++item) {
    if (!accepts(item)) continue;
    if (codes[item] === kMissing) ++missing;
    else ++counts[codes[item]];
  }
  return { counts, missing };
}
