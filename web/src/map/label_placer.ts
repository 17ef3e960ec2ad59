// Names that do not overlap. Greedy by importance, and whoever was seen in the last frame counts
// for more, so that names do not flicker while the map moves.
export interface LabelCandidate {
  node: number;
  x: number; // the middle of the name
  y: number;
  width: number;
  height: number;
  importance: number;
}

export const kKeep = 1.6; // how much more those seen before count

export class LabelPlacer {
  private seen = new Set<number>();

  // Those that are placed, the most important first.
  place(candidates: LabelCandidate[], most: number): LabelCandidate[] {
    const rank = (c: LabelCandidate) => c.importance * (this.seen.has(c.node) ? kKeep : 1);
    candidates.sort((a, b) => rank(b) - rank(a) || a.node - b.node);
    const placed: LabelCandidate[] = [];
    const grid = new OverlapGrid();
    for (const candidate of candidates) {
      if (placed.length === most) break;
      if (grid.claim(candidate)) placed.push(candidate);
    }
    this.seen = new Set(placed.map(({ node }) => node));
    return placed;
  }
}

const kCell = 64; // pixels

class OverlapGrid {
  private readonly cells = new Map<number, LabelCandidate[]>();

  claim(box: LabelCandidate): boolean {
    const touched: LabelCandidate[][] = [];
    const left = Math.floor((box.x - box.width / 2) / kCell);
    const right = Math.floor((box.x + box.width / 2) / kCell);
    const top = Math.floor((box.y - box.height / 2) / kCell);
    const bottom = Math.floor((box.y + box.height / 2) / kCell);
    for (let row = top; row <= bottom; ++row) {
      for (let column = left; column <= right; ++column) {
        const key = row * 65536 + column;
        let cell = this.cells.get(key);
        if (!cell) this.cells.set(key, (cell = []));
        if (cell.some((other) => overlap(box, other))) return false;
        touched.push(cell);
      }
    }
    for (const cell of touched) cell.push(box);
    return true;
  }
}

function overlap(a: LabelCandidate, b: LabelCandidate): boolean {
  return Math.abs(a.x - b.x) * 2 < a.width + b.width && Math.abs(a.y - b.y) * 2 < a.height + b.height;
}
