import { whereOf } from '../filters/where';
import { ApiError, type ActiveFilters, type Api, type SearchRequest } from './api';
import { readColumn, readItems, readNodes } from './arrays';
import type {
  AtlasSummary, BriefHit, ColumnInfo, Comparison, Hit, Hits, Info, ItemList, ItemPage, Topic, TopicPage,
} from './types';

const kTokenKey = 'carya-token';
const kLongQuery = 1000; // characters: longer ones go by POST, as addresses have limits

// Takes the token out of the address, so that it stays in no history and no shared link.
export function takeToken(location: Location, history: History, storage: Storage): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return;
  storage.setItem(kTokenKey, token);
  history.replaceState(history.state, '', location.pathname + location.search);
}

type Params = Record<string, string | number | boolean | undefined>;

function withParams(path: string, params: Params): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const token = sessionStorage.getItem(kTokenKey);
  if (token) headers.set('Authorization', `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError('unreachable', 'The server does not answer. Is `carya serve` still running?');
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  const detail = problem?.detail ?? `the server answered ${response.status} ${response.statusText}`;
  if (response.status === 401 || response.status === 403) {
    throw new ApiError('unauthorized',
      `${detail}. Open the address that \`carya serve\` printed: it holds the token.`);
  }
  const kind = response.status === 404 ? 'not-found' : response.status < 500 ? 'refused' : 'failed';
  throw new ApiError(kind, detail);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await request(path, init)).json();
}
async function bytes(path: string): Promise<ArrayBuffer> {
  return (await request(path)).arrayBuffer();
}

export async function listAtlases(): Promise<AtlasSummary[]> {
  return (await json<{ atlases: AtlasSummary[] }>('/atlases')).atlases;
}

export class HttpApi implements Api {
  readonly modes = ['hybrid', 'vector', 'lexical'] as const;
  readonly limits = null;
  private readonly base: string;
  private columns: ColumnInfo[] = []; // of the atlas, once info() was asked

  constructor(atlas: string) {
    this.base = `/atlases/${encodeURIComponent(atlas)}`;
  }

  info = async () => {
    const info = await json<Info>(this.base);
    this.columns = info.columns;
    return info;
  };
  tree = () => json<Topic>(`${this.base}/tree?depth=100`);
  nodeLayout = async () => readNodes(await bytes(`${this.base}/layout/nodes`));
  itemTile = async (zoom: number, node?: number) =>
    readItems(await bytes(withParams(`${this.base}/layout/items`, { zoom, node })));
  column = async ({ name, kind }: ColumnInfo) =>
    readColumn(await bytes(`${this.base}/columns/${encodeURIComponent(name)}/values`), kind);
  topic = (node: number) => json<TopicPage>(`${this.base}/nodes/${node}`);
  topicItems = (node: number, offset: number, limit: number, filters?: ActiveFilters) =>
    json<ItemList>(withParams(`${this.base}/nodes/${node}/items`, { offset, limit, where: this.where(filters) }));
  item = (item: number) => json<ItemPage>(`${this.base}/items/${item}`);
  compare = (first: number, second: number) =>
    json<Comparison>(withParams(`${this.base}/compare`, { first, second }));
  search = (request: SearchRequest, signal?: AbortSignal) => this.find<Hit>(request, false, signal);
  searchBrief = (request: SearchRequest, signal?: AbortSignal) =>
    this.find<BriefHit>(request, true, signal);

  private where(filters?: ActiveFilters): string | undefined {
    return (filters && whereOf(this.columns, filters)) || undefined;
  }
  private find<H>({ filters, ...request }: SearchRequest, brief: boolean, signal?: AbortSignal): Promise<Hits<H>> {
    const path = `${this.base}/search`;
    const where = this.where(filters);
    const params = { ...request, where, ...(brief && { brief }) };
    if (request.query.length + (where?.length ?? 0) < kLongQuery) {
      return json(withParams(path, params), { signal });
    }
    return json(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(params),
      signal,
    });
  }
}
