import { ApiError, type Api } from '../api/api';
import type { ColumnInfo, ColumnValues } from '../api/types';
import { CrossFilter } from '../filters/cross_filter';
import type { Filter } from '../filters/filter';

// The filters in force, and the columns' values, which come when they are first needed.
export class Filters {
  active = $state.raw<ReadonlyMap<string, Filter>>(new Map());
  values = $state.raw<ReadonlyMap<string, ColumnValues>>(new Map());
  errors = $state.raw<ReadonlyMap<string, string>>(new Map());
  version = $state(0); // of what passes: counts are made anew when it changes
  readonly columns: ColumnInfo[]; // that can be filtered by
  readonly cross: CrossFilter;
  private readonly loading = new Map<string, Promise<ColumnValues | null>>();

  constructor(private readonly api: Api, columns: ColumnInfo[], nItems: number) {
    this.columns = columns.filter(({ kind, n_distinct }) => kind !== 'text' && n_distinct > 1);
    this.cross = new CrossFilter(nItems);
  }

  get isActive(): boolean {
    return this.active.size > 0;
  }

  load(name: string): Promise<ColumnValues | null> {
    let values = this.loading.get(name);
    if (!values) this.loading.set(name, (values = this.fetchColumn(name)));
    return values;
  }

  async set(name: string, filter: Filter | null): Promise<void> {
    const active = new Map(this.active);
    if (filter) active.set(name, filter);
    else active.delete(name);
    this.active = active;
    await this.apply(name);
  }

  // All at once, as a link or the back button has them.
  async setAll(filters: ReadonlyMap<string, Filter>): Promise<void> {
    const known = new Set(this.columns.map(({ name }) => name));
    const before = this.active;
    this.active = new Map([...filters].filter(([name]) => known.has(name)));
    const touched = new Set([...before.keys(), ...this.active.keys()]);
    await Promise.all([...touched].map((name) => this.apply(name)));
  }

  private async apply(name: string): Promise<void> {
    const values = await this.load(name);
    if (!values) return;
    this.cross.set(name, values, this.active.get(name) ?? null);
    ++this.version;
  }

  private async fetchColumn(name: string): Promise<ColumnValues | null> {
    try {
      const values = await this.api.column(this.columns.find((column) => column.name === name)!);
      this.values = new Map(this.values).set(name, values);
      return values;
    } catch (error) {
      const message = error instanceof ApiError ? error.message : String(error);
      this.errors = new Map(this.errors).set(name, message);
      this.loading.delete(name); // to be tried again
      return null;
    }
  }
}
