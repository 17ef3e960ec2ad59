// An axis from 0 to 1 for a column: even where values are, logarithmic where they have a long
// tail and none is negative (sizes, prices, counts), or all but a few would be in one bin.
export interface Axis {
  isLog: boolean;
  place(value: number): number;
  value(place: number): number;
  rounded(place: number): number; // the value, with as many digits as the axis can be read to
  places(values: Float64Array): Float64Array;
}

const kSkew = 0.05; // of the range, below which three fifths of the values lie

export function axisOf(values: Float64Array, isDate: boolean): Axis {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (!(max > min)) max = min + 1;
  if (!Number.isFinite(min)) [min, max] = [0, 1];
  const isLog = !isDate && min >= 0 && isSkewed(values, min, max);
  const to = isLog ? Math.log1p : (x: number) => x;
  const back = isLog ? Math.expm1 : (x: number) => x;
  const low = to(min);
  const length = to(max) - low;
  const digits = 3;
  const axis: Axis = {
    isLog,
    place: (value) => (to(value) - low) / length,
    // The ends as they are: an end that is rounded off would leave out the value it is.
    value: (place) => (place <= 0 ? min : place >= 1 ? max : back(low + place * length)),
    rounded: (place) => {
      const value = axis.value(place);
      if (place <= 0 || place >= 1) return value;
      return isDate ? Math.round(value / 86400) * 86400 : Number(value.toPrecision(digits));
    },
    places: (all) => all.map(axis.place),
  };
  return axis;
}

function isSkewed(values: Float64Array, min: number, max: number): boolean {
  const bound = min + kSkew * (max - min);
  let n = 0;
  let below = 0;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    ++n;
    if (value <= bound) ++below;
  }
  return below > 0.6 * n;
}
