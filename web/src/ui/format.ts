// Numbers, dates and texts as people read them.
export function count(n: number): string {
  return n.toLocaleString('en');
}
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

export function shortText(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text;
}

// Three digits suffice on an axis: 12.3 k, 4.56 M.
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (size >= unit) return `${trimmed(value / unit)} ${letter}`;
  }
  return trimmed(value);
}
function trimmed(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

export function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 10);
}

export function percent(share: number): string {
  return `${share > 0 && share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;
}

export function valueText(value: string | number | null): string {
  return value === null ? '–' : typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 6 }) : value;
}
