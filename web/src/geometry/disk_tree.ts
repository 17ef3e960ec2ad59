import { compose, inverse, kRest, motionTo, normalized, origin, type Motion, type Polar } from './motion';

// Where topics stand: each in its parent's frame, where the parent is the origin. [n_topics]
export interface NodeLayout {
  parent: Uint32Array; // kNoParent for the root; a parent has the smaller number
  size: Uint32Array;
  angle: Float64Array;
  distance: Float64Array;
  halfArc: Float64Array;
  itemRadius: Float64Array;
}
export const kNoParent = 0xffffffff;

// What one sees: the frame of `anchor` (a node near the middle) is moved by `motion`. Motions of
// all others follow along the tree, so precision is best where one looks, at any depth.
export interface View {
  anchor: number;
  motion: Motion;
  reach: number;
}

export class DiskTree {
  readonly n: number;
  readonly children: number[][];
  readonly depth: Uint16Array;
  private readonly toChild: Motion[];
  private readonly toParent: Motion[];

  constructor(readonly layout: NodeLayout) {
    this.n = layout.parent.length;
    this.children = Array.from({ length: this.n }, () => []);
    this.depth = new Uint16Array(this.n);
    this.toChild = new Array(this.n);
    this.toParent = new Array(this.n);
    for (let node = 0; node < this.n; ++node) {
      const parent = layout.parent[node];
      this.toChild[node] = motionTo({ angle: layout.angle[node], distance: layout.distance[node] });
      this.toParent[node] = inverse(this.toChild[node]);
      if (parent === kNoParent) continue;
      this.children[parent].push(node);
      this.depth[node] = this.depth[parent] + 1;
    }
    for (const siblings of this.children) {
      siblings.sort((a, b) => layout.angle[a] - layout.angle[b]);
    }
  }

  path(node: number): number[] {
    const path: number[] = [];
    for (let at = node; at !== kNoParent; at = this.layout.parent[at]) path.push(at);
    return path.reverse();
  }

  isBelow(node: number, ancestor: number): boolean {
    let at = node;
    while (at !== kNoParent && at > ancestor) at = this.layout.parent[at];
    return at === ancestor;
  }

  // The motions of all nodes, four numbers each, into `out` [4 n].
  motions(view: View, out: Float64Array): void {
    const known = new Uint8Array(this.n);
    let motion = view.motion;
    for (let node = view.anchor; ; node = this.layout.parent[node]) {
      out.set(motion, 4 * node);
      known[node] = 1;
      if (this.layout.parent[node] === kNoParent) break;
      motion = compose(motion, this.toParent[node]);
    }
    for (let node = 0; node < this.n; ++node) {
      if (known[node]) continue;
      const p = 4 * this.layout.parent[node];
      const ar = out[p], ai = out[p + 1], br = out[p + 2], bi = out[p + 3];
      const [cr, ci, dr, di] = this.toChild[node];
      const o = 4 * node; // compose(), without an array for each of many nodes in each frame
      out[o] = ar * cr - ai * ci + br * dr + bi * di;
      out[o + 1] = ar * ci + ai * cr + bi * dr - br * di;
      out[o + 2] = ar * dr - ai * di + br * cr + bi * ci;
      out[o + 3] = ar * di + ai * dr + bi * cr - br * ci;
    }
  }

  motionOf(view: View, node: number): Motion {
    return compose(view.motion, this.between(view.anchor, node));
  }

  // Takes the frame of `to` into that of `from`.
  between(from: number, to: number): Motion {
    const { parent } = this.layout;
    let up: Motion = kRest;
    let down: Motion = kRest;
    let a = from;
    let b = to;
    while (a !== b) {
      if (a > b) {
        up = compose(up, this.toParent[a]);
        a = parent[a];
      } else {
        down = compose(this.toChild[b], down);
        b = parent[b];
      }
    }
    return compose(up, down);
  }

  // The same view, anchored at the node nearest to the middle.
  reanchored(view: View): View {
    let { anchor, motion } = view;
    for (;;) {
      let best = anchor;
      let bestMotion = motion;
      let least = origin(motion).distance;
      const parent = this.layout.parent[anchor];
      if (parent !== kNoParent) {
        const up = compose(motion, this.toParent[anchor]);
        const distance = origin(up).distance;
        if (distance < least) [best, bestMotion, least] = [parent, up, distance];
      }
      for (const child of this.children[anchor]) {
        const down = compose(motion, this.toChild[child]);
        const distance = origin(down).distance;
        if (distance < least) [best, bestMotion, least] = [child, down, distance];
      }
      if (best === anchor) return { anchor, motion: normalized(motion), reach: view.reach };
      anchor = best;
      motion = bestMotion;
    }
  }

  moved(view: View, by: Motion): View {
    return this.reanchored({ ...view, motion: compose(by, view.motion) });
  }

  // How far the things of a node reach from it: its own items, its children.
  extent(node: number): number {
    const { distance, itemRadius } = this.layout;
    let extent = itemRadius[node];
    for (const child of this.children[node]) {
      extent = Math.max(extent, distance[child] + 0.6 * itemRadius[child]);
    }
    return extent;
  }

  // How far the whole tree reaches from its root.
  wholeExtent(): number {
    const motions = new Float64Array(4 * this.n);
    this.motions({ anchor: 0, motion: kRest, reach: 1 }, motions);
    let extent = 0;
    for (let node = 0; node < this.n; ++node) {
      const distance = nodePlace(motions, node).distance;
      extent = Math.max(extent, distance + this.layout.itemRadius[node]);
    }
    return extent;
  }
}

export function nodeMotion(motions: Float64Array, node: number): Motion {
  const o = 4 * node;
  return [motions[o], motions[o + 1], motions[o + 2], motions[o + 3]];
}

export function nodePlace(motions: Float64Array, node: number): Polar {
  return origin(nodeMotion(motions, node));
}
