import { describe, expect, it } from 'vitest';
import { DiskTree, kNoParent, type View } from '../geometry/disk_tree';
import { kRest, motionTo, movePoint } from '../geometry/motion';
import { fromScreen, movedPoint, toScreen, type Frame } from './camera';
import { Items } from './items';
import { LabelPlacer, type LabelCandidate } from './label_placer';
import { Pace } from './pace';
import { pick } from './picker';
import { rimArc } from './regions';

const frame: Frame = { width: 800, height: 600, left: 0, right: 800, x: 400, y: 300, radius: 280 };
const label = (node: number, x: number, importance: number): LabelCandidate =>
  ({ node, x, y: 0, width: 50, height: 12, importance });

function tree(): DiskTree {
  return new DiskTree({
    parent: Uint32Array.of(kNoParent, 0, 0), size: Uint32Array.of(4, 2, 2),
    angle: Float64Array.of(0, 0, Math.PI), distance: Float64Array.of(0, 3, 3),
    halfArc: Float64Array.of(Math.PI, 0.5, 0.5), itemRadius: Float64Array.of(0.6, 1, 1),
  });
}
function items(): Items {
  const all = new Items(4, 3, 4);
  all.add({
    item: Uint32Array.of(3, 1), node: Uint32Array.of(1, 2), angle: Float32Array.of(0.5, 1),
    distance: Float32Array.of(0.8, 0.2), strength: Float32Array.of(1, 1), outlier: Uint8Array.of(0, 1),
    total: 4, until: 2,
  });
  return all;
}

describe('the camera', () => {
  it('goes to the screen and back', () => {
    const point = { angle: 2, distance: 4 };
    const back = fromScreen(frame, 3, toScreen(frame, 3, point));
    expect(back.angle).toBeCloseTo(2, 9);
    expect(back.distance).toBeCloseTo(4, 9);
  });
  it('moves points as the motions do', () => {
    const motion = motionTo({ angle: 1, distance: 7 });
    const radius = Math.tanh(0.4);
    const moved = movedPoint(motion, radius * Math.cos(2), radius * Math.sin(2));
    const expected = movePoint(motion, { angle: 2, distance: 0.8 });
    expect(moved.distance).toBeCloseTo(expected.distance, 8);
    expect(moved.angle).toBeCloseTo(expected.angle, 8);
  });
});

describe('items', () => {
  it('come in tiles, each once', () => {
    const all = items();
    all.add({
      item: Uint32Array.of(3, 0), node: Uint32Array.of(1, 1), angle: Float32Array.of(0, 0),
      distance: Float32Array.of(0, 0), strength: Float32Array.of(1, 1), outlier: Uint8Array.of(0, 0),
      total: 4, until: 4,
    });
    expect(all.n).toBe(3);
    expect([...all.own(1)].map((slot) => all.itemOf[slot])).toEqual([3, 0]);
    expect(all.nodeOf[2]).toBe(kNoParent);
  });
});

describe('picking', () => {
  const disk = tree();
  const view: View = { anchor: 0, motion: kRest, reach: 2 };
  const motions = new Float64Array(12);
  disk.motions(view, motions);
  const all = items();
  const at = (motion: number, angle: number, distance: number) => toScreen(frame, 2,
    movePoint(motions.slice(4 * motion, 4 * motion + 4) as unknown as [number, number, number, number], { angle, distance }));
  it('finds the item under the pointer', () => {
    expect(pick(disk, all, motions, view, frame, at(1, 0.5, 0.8), () => true)).toEqual({ kind: 'item', item: 3 });
  });
  it('passes over items that filters hold back', () => {
    expect(pick(disk, all, motions, view, frame, at(1, 0.5, 0.8), () => false)).toBeNull();
  });
  it('finds topics, and nothing outside the rim', () => {
    expect(pick(disk, all, motions, view, frame, { x: 400, y: 300 }, () => true)).toEqual({ kind: 'topic', node: 0 });
    expect(pick(disk, all, motions, view, frame, { x: 10, y: 10 }, () => true)).toBeNull();
  });
  it('knows the arc of the rim that is a topic\'s', () => {
    expect(rimArc(disk, motions, 1).span).toBeCloseTo(1, 9);
  });
});

describe('labels', () => {
  it('do not overlap, the more important first', () => {
    const placed = new LabelPlacer().place([label(1, 0, 1), label(2, 30, 2), label(3, 90, 0.5)], 10);
    expect(placed.map(({ node }) => node)).toEqual([2, 3]);
  });
  it('stay when another becomes a little more important', () => {
    const placer = new LabelPlacer();
    placer.place([label(1, 0, 1)], 10);
    expect(placer.place([label(1, 0, 1), label(2, 30, 1.3)], 10).map(({ node }) => node)).toEqual([1]);
    expect(placer.place([label(1, 0, 1), label(2, 30, 2)], 10).map(({ node }) => node)).toEqual([2]);
  });
});

describe('the pace', () => {
  const n = 1_000_000;
  const run = (pace: Pace, ms: number, frames: number) => {
    let drawn = n;
    for (let i = 0; i < frames; ++i) drawn = pace.next(i * ms, true, n);
    return drawn;
  };
  it('draws all where the machine can, and at rest', () => {
    const pace = new Pace();
    expect(run(pace, 16, 20)).toBe(n);
    expect(run(pace, 400, 8)).toBeLessThan(n / 100);
    expect(pace.next(4000, false, n)).toBe(n);
  });
  it('never draws fewer than any machine can', () => {
    expect(run(new Pace(), 5000, 50)).toBe(8192);
    expect(new Pace().next(0, true, 100)).toBe(100);
  });
});
