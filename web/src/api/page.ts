import { accepting } from '../filters/cross_filter';
import { flatten, type TopicEntry } from '../state/topics';
import { ApiError, type ActiveFilters, type Api, type SearchRequest } from './api';
import { readColumn, readItems, readNodes } from './arrays';
import { compareColumn, distributionOf } from './distributions';
import { Safetensors } from './safetensors';
import {
  kMissing, type BriefHit, type ColumnInfo, type ColumnValues, type Comparison, type Hit, type Hits, type Info,
  type ItemList, type ItemPage, type ItemSummary, type ItemTile, type Neighbor, type NodeLayout, type Topic,
  type TopicLink, type TopicPage,
} from './types';
import { WordIndex } from './word_index';

// What `carya export --format html` puts into the page. Arrays are safetensors in base64.
export interface PageExport {
  limits: string; // a sentence on what is left out
  info: Info;
  tree: Topic;
  exemplars: number[][]; // items of each topic
  nodes: string;
  items: string;
  columns: Record<string, string>;
  ids: string[];
  texts: string[];
  neighbors: string; // `neighbors` U32 [n, k], kMissing where there are fewer
}

const kExportId = 'carya-export';
const kSummary = 300; // characters of an item in a list, as the server has it
const kDefaultLimit = 20;

export function findExport(page: Document): PageExport | null {
  const text = page.getElementById(kExportId)?.textContent;
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('failed', 'The data in this page are damaged: export it again.');
  }
}

function decode(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

// The atlas in an exported page: answers as a server would, from what the page holds.
export class PageApi implements Api {
  readonly modes = ['lexical'] as const;
  readonly limits: string;
  private readonly topics: TopicEntry[];
  private readonly tile: ItemTile;
  private readonly place: Uint32Array; // of each item in the tile
  private readonly neighbors: Uint32Array;
  private readonly k: number;
  private readonly columns = new Map<string, ColumnValues>();
  private index: WordIndex | null = null; // made at the first search

  constructor(private readonly page: PageExport) {
    this.limits = page.limits;
    this.topics = flatten(page.tree);
    this.tile = readItems(decode(page.items));
    this.place = new Uint32Array(this.tile.item.length);
    this.tile.item.forEach((item, i) => (this.place[item] = i));
    const neighbors = Safetensors.parse(decode(page.neighbors));
    this.neighbors = neighbors.u32('neighbors');
    this.k = neighbors.shape('neighbors')[1];
  }

  info = async (): Promise<Info> => this.page.info;
  tree = async (): Promise<Topic> => this.page.tree;
  nodeLayout = async (): Promise<NodeLayout> => readNodes(decode(this.page.nodes));

  async itemTile(zoom: number): Promise<ItemTile> {
    return zoom === 0 ? this.tile : { ...this.tile, item: new Uint32Array() };
  }

  async column({ name }: ColumnInfo): Promise<ColumnValues> {
    return this.valuesOf(name);
  }

  async topic(node: number): Promise<TopicPage> {
    const topic = this.topicOf(node);
    const parent = topic.parent ?? node;
    const below = this.itemsBelow(node);
    const inParent = this.itemsBelow(parent);
    return {
      node, name: topic.name, size: topic.size, keywords: topic.keywords,
      outliers: below.filter((item) => this.isOutlier(item)).length,
      path: this.pathOf(node),
      children: topic.children.map((child) => {
        const { name, size, keywords } = this.topics[child];
        return { node: child, name, size, keywords };
      }),
      exemplars: this.page.exemplars[node].map((item) => this.summary(item)),
      columns: this.page.info.columns
        .filter(({ kind }) => kind !== 'text')
        .map((column) => distributionOf(column, this.valuesOf(column.name), below, inParent)),
    };
  }

  async topicItems(node: number, offset: number, limit: number, filters?: ActiveFilters): Promise<ItemList> {
    const accepts = this.accepts(filters);
    const items = this.itemsBelow(node).filter(accepts);
    items.sort((a, b) => this.strengthOf(b) - this.strengthOf(a) || a - b);
    return {
      total: items.length, offset,
      items: items.slice(offset, offset + limit).map((item) => this.summary(item)),
    };
  }

  async item(item: number): Promise<ItemPage> {
    if (!(item < this.page.ids.length)) throw new ApiError('not-found', `This page has no item ${item}.`);
    const metadata: ItemPage['metadata'] = {};
    for (const { name, kind } of this.page.info.columns) {
      if (kind === 'text') continue; // too many different values to be in the page
      const values = this.valuesOf(name);
      if (values.kind === 'category') metadata[name] = values.texts[values.codes[item]] ?? null;
      else if (Number.isNaN(values.values[item])) metadata[name] = null;
      else metadata[name] = kind === 'date' ? new Date(1000 * values.values[item]).toISOString() : values.values[item];
    }
    const neighbors: Neighbor[] = [];
    for (const other of this.neighbors.subarray(this.k * item, this.k * (item + 1))) {
      if (other === kMissing) continue;
      const { id, text, node } = this.summary(other);
      neighbors.push({ item: other, id, text, node, distance: NaN });
    }
    return {
      item, id: this.page.ids[item], text: this.page.texts[item], metadata, path: this.pathOf(this.nodeOf(item)),
      strength: this.strengthOf(item), outlier: this.isOutlier(item), neighbors,
    };
  }

  async search(request: SearchRequest): Promise<Hits<Hit>> {
    const { found, index, offset, limit } = this.find(request);
    const hits = found.slice(offset, offset + limit).map(({ item, score }) => ({
      item, score, id: this.page.ids[item], similarity: null, node: this.nodeOf(item),
      topic: this.topics[this.nodeOf(item)].name, outlier: this.isOutlier(item),
      snippet: index.snippet(item, request.query),
    }));
    return { query: request.query, mode: 'lexical', offset, more: found.length > offset + limit, hits };
  }

  async searchBrief(request: SearchRequest): Promise<Hits<BriefHit>> {
    const { found, offset, limit } = this.find(request);
    return { query: request.query, mode: 'lexical', offset, more: found.length > offset + limit,
      hits: found.slice(offset, offset + limit) };
  }

  async compare(first: number, second: number): Promise<Comparison> {
    const pair = [this.topicOf(first), this.topicOf(second)];
    const below = [this.itemsBelow(first), this.itemsBelow(second)] as const;
    const otherPath = new Set(this.pathOf(second).map(({ node }) => node));
    const common = this.pathOf(first).filter(({ node }) => otherPath.has(node));
    const [a, b] = pair.map(({ keywords }) => keywords);
    return {
      topics: pair.map(({ node, name, size }, i) => ({
        node, name, size, outliers: below[i].filter((item) => this.isOutlier(item)).length,
      })),
      common: common[common.length - 1],
      keywords: {
        shared: a.filter((word) => b.includes(word)),
        first: a.filter((word) => !b.includes(word)),
        second: b.filter((word) => !a.includes(word)),
      },
      columns: this.page.info.columns
        .filter(({ kind }) => kind !== 'text')
        .map(({ name }) => compareColumn(name, this.valuesOf(name), below[0], below[1])),
    };
  }

  private find(request: SearchRequest) {
    const index = (this.index ??= new WordIndex(this.page.texts));
    const passes = this.accepts(request.filters);
    const scope = request.node === undefined ? null : this.subtree(request.node);
    const found = index.search(request.query,
      (item) => passes(item) && (scope === null || scope[this.nodeOf(item)] === 1));
    return { found, index, offset: request.offset ?? 0, limit: request.limit ?? kDefaultLimit };
  }

  private accepts(filters?: ActiveFilters): (item: number) => boolean {
    const all = [...(filters ?? [])].map(([name, filter]) => accepting(this.valuesOf(name), filter));
    return (item) => all.every((accepts) => accepts(item));
  }

  private topicOf(node: number): TopicEntry {
    const topic = this.topics[node];
    if (!topic) throw new ApiError('not-found', `This page has no topic ${node}.`);
    return topic;
  }
  private subtree(node: number): Uint8Array {
    const isIn = new Uint8Array(this.topics.length);
    const left = [node];
    while (left.length > 0) {
      const at = left.pop()!;
      isIn[at] = 1;
      left.push(...this.topics[at].children);
    }
    return isIn;
  }
  private itemsBelow(node: number): number[] {
    const isIn = this.subtree(node);
    const items: number[] = [];
    for (let i = 0; i < this.tile.item.length; ++i) if (isIn[this.tile.node[i]]) items.push(this.tile.item[i]);
    return items;
  }
  private pathOf(node: number): TopicLink[] {
    const path: TopicLink[] = [];
    for (let at: number | null = node; at !== null; at = this.topics[at].parent) {
      path.push({ node: at, name: this.topics[at].name });
    }
    return path.reverse();
  }
  private nodeOf(item: number): number {
    return this.tile.node[this.place[item]];
  }
  private strengthOf(item: number): number {
    return this.tile.strength[this.place[item]];
  }
  private isOutlier(item: number): boolean {
    return this.tile.outlier[this.place[item]] !== 0;
  }
  private summary(item: number): ItemSummary {
    return {
      item, id: this.page.ids[item], text: this.page.texts[item].slice(0, kSummary), node: this.nodeOf(item),
      strength: this.strengthOf(item), outlier: this.isOutlier(item),
    };
  }
  private valuesOf(name: string): ColumnValues {
    let values = this.columns.get(name);
    if (!values) {
      const kind = this.page.info.columns.find((column) => column.name === name)?.kind;
      const file = this.page.columns[name];
      if (!kind || file === undefined) throw new ApiError('not-found', `This page has no column '${name}'.`);
      this.columns.set(name, (values = readColumn(decode(file), kind)));
    }
    return values;
  }
}
