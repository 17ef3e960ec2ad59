import { describe, expect, it } from 'vitest';
import { DiskTree, kNoParent, nodePlace, type View } from './disk_tree';
import { flightTo } from './flight';
import {
  compose, distanceBetween, dragMotion, inverse, kRest, motionTo, movePoint, moveRim, normalized,
  origin, rotation, translation, wrapAngle, type Polar,
} from './motion';
import { project, reachFor, unproject } from './projection';

const close = (a: Polar, b: Polar, digits = 9) => expect(distanceBetween(a, b)).toBeCloseTo(0, digits);

// A path of nodes, each a child of the one before, with a second child everywhere.
function deepTree(depth: number): DiskTree {
  const parent = [kNoParent];
  const angle = [0];
  const distance = [0];
  for (let level = 0; level < depth; ++level) {
    const above = level === 0 ? 0 : 2 * level - 1;
    parent.push(above, above);
    angle.push(0.4, -0.5);
    distance.push(3, 2);
  }
  const n = parent.length;
  return new DiskTree({
    parent: Uint32Array.from(parent), size: new Uint32Array(n).fill(1),
    angle: Float64Array.from(angle), distance: Float64Array.from(distance),
    halfArc: new Float64Array(n).fill(0.3), itemRadius: new Float64Array(n).fill(0.6),
  });
}

describe('motions', () => {
  const points: Polar[] = [
    { angle: 0.3, distance: 0.5 }, { angle: -2, distance: 3 }, { angle: 3, distance: 9 },
  ];
  it('take the origin where they say', () => {
    for (const point of points) close(origin(motionTo(point)), point);
  });
  it('keep distances and undo each other', () => {
    const motion = compose(motionTo(points[1]), rotation(0.7));
    expect(distanceBetween(movePoint(motion, points[0]), movePoint(motion, points[2])))
      .toBeCloseTo(distanceBetween(points[0], points[2]), 8);
    for (const point of points) close(movePoint(inverse(motion), movePoint(motion, point)), point, 5);
  });
  it('move the rim as they move points near it', () => {
    const motion = compose(translation(1, 2), rotation(0.5));
    const near = movePoint(motion, { angle: 0.8, distance: 30 });
    expect(wrapAngle(moveRim(motion, 0.8) - near.angle)).toBeCloseTo(0, 9);
  });
  it('are mended to determinant 1', () => {
    const [ar, ai, br, bi] = normalized([3.01, 0.2, 2.8, 0.1]);
    expect(ar * ar + ai * ai - br * br - bi * bi).toBeCloseTo(1, 12);
  });
});

describe('dragging', () => {
  it.each([[0.2, 0.5], [0.5, 2], [2, 3], [6, 5], [11, 12]])(
    'keeps the point at distance %d under the cursor', (from, to) => {
      for (const turn of [0, 0.1, 1.5, 3]) {
        const start = { angle: 2.5, distance: from };
        const end = { angle: 2.5 + turn, distance: to };
        close(movePoint(dragMotion(start, end), start), end, 4);
      }
    });
  it('far out moves the middle no farther than the hand moves along the radius', () => {
    const motion = dragMotion({ angle: 0, distance: 10 }, { angle: 0.5, distance: 9 });
    expect(origin(motion).distance).toBeCloseTo(1, 6);
  });
});

describe('projection', () => {
  it('has an inverse and a reach for a radius', () => {
    for (const distance of [0.1, 1, 5, 14]) {
      expect(unproject(project(distance, 4), 4)).toBeCloseTo(distance, 8);
      if (distance > 1) expect(project(distance, reachFor(distance, 0.7))).toBeCloseTo(0.7, 8);
    }
  });
});

describe('a tree', () => {
  const tree = deepTree(40); // the last node is 120 from the root: doubles alone end at 37
  const leaf = tree.n - 2;
  it('is exact at any depth where one looks', () => {
    const motions = new Float64Array(4 * tree.n);
    tree.motions({ anchor: leaf, motion: kRest, reach: 1 }, motions);
    expect(nodePlace(motions, leaf).distance).toBe(0);
    close(nodePlace(motions, tree.layout.parent[leaf]), { angle: Math.PI, distance: 3 });
    expect(nodePlace(motions, 0).distance).toBeGreaterThan(60);
  });
  it('agrees on motions one by one and all at once', () => {
    const view: View = { anchor: 5, motion: translation(1, 0.4), reach: 1 };
    const motions = new Float64Array(4 * tree.n);
    tree.motions(view, motions);
    for (const node of [0, 1, 2, 6, 9]) close(origin(tree.motionOf(view, node)), nodePlace(motions, node), 6);
  });
  it('is anchored at the node nearest to the middle after a drag', () => {
    const view: View = { anchor: 0, motion: kRest, reach: 1 };
    const moved = tree.moved(view, translation(0.4 + Math.PI, 3));
    expect(moved.anchor).toBe(1);
    expect(origin(moved.motion).distance).toBeCloseTo(0, 6);
  });
  it('knows paths and what is below', () => {
    expect(tree.path(3)).toEqual([0, 1, 3]);
    expect(tree.isBelow(5, 1)).toBe(true);
    expect(tree.isBelow(5, 2)).toBe(false);
  });
  it('is flown through to the node, without leaps', () => {
    const from: View = { anchor: 0, motion: kRest, reach: 3 };
    const flight = flightTo(tree, from, 7, 1);
    close(origin(tree.motionOf(flight.at(0), 0)), { angle: 0, distance: 0 }, 4);
    expect(origin(flight.at(1).motion).distance).toBeCloseTo(0, 9);
    expect(flight.at(1).reach).toBeCloseTo(1, 9);
    for (let step = 0; step < 20; ++step) {
      const here = flight.at(step / 20).motion;
      const next = flight.at((step + 1) / 20).motion;
      expect(Math.abs(origin(here).distance - origin(next).distance)).toBeLessThan(2);
    }
  });
});
