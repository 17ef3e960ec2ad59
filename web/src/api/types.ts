// The answers of the HTTP API: apps/server/openapi.json says what each field means.
import type { NodeLayout } from '../geometry/disk_tree';

export type { NodeLayout };
export type SearchMode = 'hybrid' | 'vector' | 'lexical';
export type ColumnKind = 'number' | 'date' | 'category' | 'text';

export interface AtlasSummary {
  name: string;
  n_items: number;
  n_topics: number;
}
export interface ColumnInfo {
  name: string;
  kind: ColumnKind;
  n_missing: number;
  n_distinct: number;
  min: number | null;
  max: number | null;
}
export interface Info {
  name: string;
  n_items: number;
  dim: number;
  n_topics: number;
  n_leaves: number;
  max_depth: number;
  n_outliers: number;
  encoder: string;
  method: string;
  has_texts: boolean;
  columns: ColumnInfo[];
}
export interface TopicLink {
  node: number;
  name: string;
}
export interface TopicBrief extends TopicLink {
  size: number;
  keywords: string[];
}
export interface Topic extends TopicBrief {
  children: Topic[];
}
export interface ItemSummary {
  item: number;
  id: string;
  text: string;
  node: number;
  strength: number;
  outlier: boolean;
}
export interface Distribution {
  name: string;
  kind: 'number' | 'date' | 'category';
  edges?: number[];
  values?: string[];
  topic: number[];
  parent: number[];
  other: [number, number];
  missing: [number, number];
}
export interface TopicPage extends TopicBrief {
  outliers: number;
  path: TopicLink[];
  children: TopicBrief[];
  exemplars: ItemSummary[];
  columns: Distribution[];
}
export interface ItemList {
  total: number;
  offset: number;
  items: ItemSummary[];
}
export interface Neighbor {
  item: number;
  id: string;
  text: string;
  node: number;
  distance: number;
}
export interface ItemPage {
  item: number;
  id: string;
  text: string;
  metadata: Record<string, string | number | null>;
  path: TopicLink[];
  strength: number;
  outlier: boolean;
  neighbors: Neighbor[];
}
export interface SnippetPiece {
  text: string;
  match: boolean;
}
export interface Hit {
  item: number;
  id: string;
  score: number;
  similarity: number | null;
  node: number;
  topic: string;
  outlier: boolean;
  snippet: SnippetPiece[];
}
export interface BriefHit {
  item: number;
  score: number;
}
export interface Hits<H = Hit> {
  query: string;
  mode: SearchMode;
  offset: number;
  more: boolean;
  hits: H[];
}
export interface ComparedColumn {
  name: string;
  medians?: [number | null, number | null];
  shares?: { value: string; first: number; second: number }[];
}
export interface Comparison {
  topics: { node: number; name: string; size: number; outliers: number }[];
  common: TopicLink;
  keywords: { shared: string[]; first: string[]; second: string[] };
  columns: ComparedColumn[];
}

// Where items stand: places in their topics' frames. [n]
export interface ItemTile {
  item: Uint32Array;
  node: Uint32Array;
  angle: Float32Array;
  distance: Float32Array;
  strength: Float32Array;
  outlier: Uint8Array;
  total: number; // items below the node asked for
  until: number; // of these, in this tile and those before it
}

// All values of a column. [n_items]
export type ColumnValues =
  | { kind: 'number' | 'date'; values: Float64Array } // NaN where missing
  | { kind: 'category'; codes: Uint32Array; texts: string[] }; // kMissing where missing
export const kMissing = 0xffffffff;
