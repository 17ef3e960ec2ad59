import type { ItemTile } from '../api/types';
import { kMissing } from '../api/types';

// Items as they are drawn: slots in the order of arrival (a fair sample first), each with its place
// in its topic's frame as a point of the Poincare disk there. Typed arrays, as there are millions.
export class Items {
  n = 0; // slots filled
  readonly itemOf: Uint32Array; // [capacity]
  readonly node: Uint32Array;
  readonly place: Float32Array; // [2 capacity]
  readonly strength: Float32Array;
  readonly outlier: Uint8Array;
  readonly nodeOf: Uint32Array; // [n_items], kMissing where not loaded
  readonly slotOf: Uint32Array;
  private ownStart: Uint32Array | null = null; // [n_topics + 1] into ownSlots
  private ownSlots = new Uint32Array(0);

  constructor(
    readonly nItems: number,
    readonly nTopics: number,
    readonly capacity: number,
  ) {
    this.itemOf = new Uint32Array(capacity);
    this.node = new Uint32Array(capacity);
    this.place = new Float32Array(2 * capacity);
    this.strength = new Float32Array(capacity);
    this.outlier = new Uint8Array(capacity);
    this.nodeOf = new Uint32Array(nItems).fill(kMissing);
    this.slotOf = new Uint32Array(nItems).fill(kMissing);
  }

  get isFull(): boolean {
    return this.n === this.capacity;
  }

  // Those that are here already are passed over.
  add(tile: ItemTile): void {
    for (let i = 0; i < tile.item.length && this.n < this.capacity; ++i) {
      const item = tile.item[i];
      if (this.slotOf[item] !== kMissing) continue;
      const slot = this.n++;
      const radius = Math.tanh(tile.distance[i] / 2);
      this.itemOf[slot] = item;
      this.node[slot] = this.nodeOf[item] = tile.node[i];
      this.place[2 * slot] = radius * Math.cos(tile.angle[i]);
      this.place[2 * slot + 1] = radius * Math.sin(tile.angle[i]);
      this.strength[slot] = tile.strength[i];
      this.outlier[slot] = tile.outlier[i];
      this.slotOf[item] = slot;
    }
    this.ownStart = null;
  }

  // The slots of the items that hang at a topic itself.
  own(node: number): Uint32Array {
    this.ownStart ??= this.sortByTopic();
    return this.ownSlots.subarray(this.ownStart[node], this.ownStart[node + 1]);
  }

  private sortByTopic(): Uint32Array {
    const start = new Uint32Array(this.nTopics + 1);
    for (let slot = 0; slot < this.n; ++slot) ++start[this.node[slot] + 1];
    for (let node = 0; node < this.nTopics; ++node) start[node + 1] += start[node];
    const next = start.slice();
    this.ownSlots = new Uint32Array(this.n);
    for (let slot = 0; slot < this.n; ++slot) this.ownSlots[next[this.node[slot]]++] = slot;
    return start;
  }
}
