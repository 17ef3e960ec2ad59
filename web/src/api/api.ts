import type { Filter } from '../filters/filter';
import type {
  BriefHit, ColumnInfo, ColumnValues, Comparison, Hit, Hits, Info, ItemList, ItemPage, ItemTile,
  NodeLayout, SearchMode, Topic, TopicPage,
} from './types';

export type ActiveFilters = ReadonlyMap<string, Filter>; // by column

export interface SearchRequest {
  query: string;
  mode: SearchMode;
  filters?: ActiveFilters;
  node?: number;
  offset?: number;
  limit?: number;
}

// An atlas, wherever it is: behind a server (HttpApi) or in this very page (PageApi). All calls
// throw ApiError with a sentence for people; those given a signal stop when it is aborted.
export interface Api {
  readonly modes: readonly SearchMode[]; // of search, the best first
  readonly limits: string | null; // what an exported page lacks
  info(): Promise<Info>;
  tree(): Promise<Topic>;
  nodeLayout(): Promise<NodeLayout>;
  itemTile(zoom: number, node?: number): Promise<ItemTile>;
  column(column: ColumnInfo): Promise<ColumnValues>;
  topic(node: number): Promise<TopicPage>;
  topicItems(node: number, offset: number, limit: number, filters?: ActiveFilters): Promise<ItemList>;
  item(item: number): Promise<ItemPage>;
  search(request: SearchRequest, signal?: AbortSignal): Promise<Hits<Hit>>;
  searchBrief(request: SearchRequest, signal?: AbortSignal): Promise<Hits<BriefHit>>;
  compare(first: number, second: number): Promise<Comparison>;
}

export type ErrorKind = 'unreachable' | 'unauthorized' | 'not-found' | 'refused' | 'failed';

export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
  ) {
    super(message);
  }
}
