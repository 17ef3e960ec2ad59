import { ApiError, type Api } from '../api/api';
import type { Info, ItemPage } from '../api/types';
import type { ColorBy } from '../color/coloring';
import { DiskTree, type View } from '../geometry/disk_tree';
import { Items } from '../map/items';
import { Filters } from './filters.svelte';
import { kNowhere, type Place } from './place';
import { Search } from './search.svelte';
import { flatten, type TopicEntry } from './topics';

const kMaxItems = 2_000_000; // on the map at a time; of larger atlases a fair sample
const kAroundItem = 2.2; // how much wider than its topic alone an item is shown, among its neighbours
const kSearchScopeDelay = 0;

// What an open atlas is made of, and what one is looking at in it.
export class Explorer {
  readonly search: Search;
  readonly filters: Filters;
  node = $state<number | null>(null);
  compare = $state<number | null>(null);
  item = $state<number | null>(null);
  color = $state<ColorBy>('topic');
  isPicking = $state(false); // the next topic chosen is the one to compare with
  itemPage = $state.raw<ItemPage | null>(null); // of `item`, once it is here
  nLoaded = $state(0); // items on the map
  loadError = $state<ApiError | null>(null);
  view = $state.raw<View | null>(null); // at rest
  expanded = $state.raw<ReadonlySet<number>>(new Set([0])); // of the tree
  // The map's handles, once it is there.
  fly: (node: number, wider?: number) => void = () => {};
  look: (view: View) => void = () => {};

  private constructor(readonly api: Api, readonly info: Info, readonly topics: TopicEntry[],
                      readonly disk: DiskTree, readonly items: Items) {
    this.filters = new Filters(api, info.columns, info.n_items);
    this.search = new Search(api, () => this.filters.active);
  }

  static async open(api: Api): Promise<Explorer> {
    const [info, root, layout] = await Promise.all([api.info(), api.tree(), api.nodeLayout()]);
    const items = new Items(info.n_items, info.n_topics, Math.min(info.n_items, kMaxItems));
    return new Explorer(api, info, flatten(root), new DiskTree(layout), items);
  }

  // Tile after tile, so that the map is there after the first.
  async loadItems(): Promise<void> {
    this.loadError = null;
    try {
      for (let zoom = 0; !this.items.isFull && zoom <= 20; ++zoom) {
        const tile = await this.api.itemTile(zoom);
        this.items.add(tile);
        this.nLoaded = this.items.n;
        if (tile.until >= tile.total) break;
      }
    } catch (error) {
      this.loadError = error instanceof ApiError ? error : new ApiError('failed', String(error));
    }
  }

  selectNode(node: number, fly = true): void {
    if (this.isPicking && this.node !== null && node !== this.node) {
      this.compare = node;
      this.isPicking = false;
    } else {
      this.node = node;
      this.compare = null;
    }
    this.item = null;
    this.reveal(node);
    if (fly) this.fly(node);
  }
  selectItem(item: number, fly = true): void {
    this.item = item;
    this.isPicking = false;
    if (!fly) return;
    void this.topicOf(item).then((node) => this.item === item && this.fly(node, kAroundItem));
  }
  close(): void {
    if (this.isPicking) this.isPicking = false;
    else if (this.item !== null) this.item = null;
    else if (this.compare !== null) this.compare = null;
    else this.node = null;
  }
  swapCompared(): void {
    if (this.node === null || this.compare === null) return;
    [this.node, this.compare] = [this.compare, this.node];
  }

  // Opens the tree down to a topic.
  reveal(node: number): void {
    const expanded = new Set(this.expanded);
    for (let at = this.topics[node]?.parent ?? null; at !== null; at = this.topics[at].parent) expanded.add(at);
    this.expanded = expanded;
  }
  toggle(node: number, open = !this.expanded.has(node)): void {
    const expanded = new Set(this.expanded);
    if (open) expanded.add(node);
    else expanded.delete(node);
    this.expanded = expanded;
  }

  searchIn(scope: number | null): void {
    this.search.scope = scope;
    this.search.schedule(kSearchScopeDelay);
  }

  private async topicOf(item: number): Promise<number> {
    const node = this.items.nodeOf[item];
    if (node < this.disk.n) return node;
    // Its tile has not come yet.
    return this.api.item(item).then(({ path }) => path[path.length - 1].node, () => this.node ?? 0);
  }

  get place(): Place {
    const mode = this.search.mode;
    return {
      ...kNowhere, node: this.node, compare: this.compare, item: this.item, query: this.search.query,
      mode: mode === this.api.modes[0] ? null : mode, scope: this.search.scope, color: this.color,
      filters: this.filters.active, view: this.view,
    };
  }

  // Goes to a place that an address tells; topics and items that are not there are passed over.
  async goTo(place: Place): Promise<void> {
    const known = (node: number | null) => (node !== null && node < this.topics.length ? node : null);
    this.node = known(place.node);
    this.compare = this.node === null ? null : known(place.compare);
    this.item = place.item !== null && place.item < this.info.n_items ? place.item : null;
    this.color = place.color;
    this.search.query = place.query;
    this.search.mode = place.mode !== null && this.api.modes.includes(place.mode) ? place.mode : this.api.modes[0];
    this.search.scope = known(place.scope);
    if (this.node !== null) this.reveal(this.node);
    if (place.view && place.view.anchor < this.disk.n) this.look(place.view);
    else if (this.item === null) this.fly(this.node ?? 0);
    else this.fly(await this.topicOf(this.item), kAroundItem);
    await this.filters.setAll(place.filters);
    this.search.schedule(0);
  }
}
