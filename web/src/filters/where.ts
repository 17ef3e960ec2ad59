import type { ColumnInfo } from '../api/types';
import type { Filter } from './filter';

// Quoted text; a quote inside is written twice, as carya/atlas/where.cc reads it.
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

// A date column holds ISO 8601 texts, and texts are compared: a bound must have their form. Days
// suffice, as a day is less than all moments of that day.
export function isoDay(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

const kDay = 86400;

function condition(column: ColumnInfo, filter: Filter): string {
  const name = quoted(column.name);
  if (filter.kind === 'values') {
    const texts = filter.values.filter((value) => value !== null);
    const parts = texts.length > 0 ? [`${name} in (${texts.map(quoted).join(', ')})`] : [];
    if (texts.length < filter.values.length) parts.push(`${name} is null`);
    return parts.length > 1 ? `(${parts.join(' or ')})` : (parts[0] ?? `${name} in ('')`);
  }
  if (column.kind === 'date') {
    return `${name} >= ${quoted(isoDay(filter.from))} and ${name} < ${quoted(isoDay(filter.to + kDay))}`;
  }
  return `${name} >= ${filter.from} and ${name} <= ${filter.to}`;
}

// What the filters let pass, as a condition for the server.
export function whereOf(columns: readonly ColumnInfo[], filters: ReadonlyMap<string, Filter>): string {
  return columns
    .filter(({ name }) => filters.has(name))
    .map((column) => condition(column, filters.get(column.name)!))
    .join(' and ');
}
