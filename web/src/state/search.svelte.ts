import { ApiError, type ActiveFilters, type Api } from '../api/api';
import type { Hit, SearchMode } from '../api/types';

const kDebounceMs = 150;
const kPage = 20;
// Hits marked on the map. By meaning everything is a hit, so only the best mean something.
export const kMarked = { lexical: 1000, hybrid: 200, vector: 200 } as const;

// Search as you type: an answer that a later key stroke has made stale is dropped.
export class Search {
  query = $state('');
  mode = $state<SearchMode>('hybrid');
  scope = $state<number | null>(null);
  hits = $state.raw<Hit[]>([]);
  marked = $state.raw<number[] | null>(null); // items, the best first; null: no search
  more = $state(false);
  isBusy = $state(false);
  error = $state<ApiError | null>(null);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: AbortController | null = null;

  constructor(private readonly api: Api, private readonly filters: () => ActiveFilters) {
    this.mode = api.modes[0];
  }

  get isActive(): boolean {
    return this.query.trim() !== '';
  }

  // Soon, when no more keys are struck.
  schedule(delay = kDebounceMs): void {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
    if (!this.isActive) {
      this.hits = [];
      this.marked = null;
      this.more = this.isBusy = false;
      this.error = null;
      return;
    }
    this.isBusy = true;
    this.timer = setTimeout(() => void this.run(), delay);
  }

  async loadMore(): Promise<void> {
    if (this.isBusy || !this.more) return;
    this.isBusy = true;
    const running = (this.running = new AbortController());
    await this.guarded(running, async () => {
      const page = await this.api.search({ ...this.request(), offset: this.hits.length }, running.signal);
      if (this.running !== running) return;
      this.hits = [...this.hits, ...page.hits];
      this.more = page.more;
    });
  }

  private request() {
    return {
      query: this.query, mode: this.mode, filters: this.filters(),
      node: this.scope ?? undefined, limit: kPage,
    };
  }

  private async run(): Promise<void> {
    const running = (this.running = new AbortController());
    await this.guarded(running, async () => {
      const page = await this.api.search(this.request(), running.signal);
      if (this.running !== running) return;
      this.hits = page.hits;
      this.more = page.more;
      this.error = null;
      const marks = await this.api.searchBrief({ ...this.request(), limit: kMarked[this.mode] }, running.signal);
      if (this.running !== running) return;
      this.marked = marks.hits.map(({ item }) => item);
    });
  }

  private async guarded(running: AbortController, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.running !== running || running.signal.aborted) return;
      this.error = error instanceof ApiError ? error : new ApiError('failed', String(error));
      this.hits = [];
      this.marked = [];
      this.more = false;
    } finally {
      if (this.running === running) this.isBusy = false;
    }
  }
}
