import { nodeMotion, type DiskTree, type View } from '../geometry/disk_tree';
import { moveRim } from '../geometry/motion';
import { css, type Rgb } from '../color/palette';
import { movedPoint, toScreen, type Frame } from './camera';

// The part of the sky that is a topic's: between two rays from its parent to the rim. Everything
// below the topic lies in it, and siblings' parts do not meet, so they are the map's countries.

const kLeastArc = 0.06; // radians at the rim: narrower ones are not drawn
const kRayStep = 0.4; // hyperbolic length of the straight pieces of a ray
const kFineRayStep = 0.12; // where the region is wide, so that its rays pass near the middle
const kWide = 0.5; // radians at the rim
const kRayLength = 18;
const kRimStep = 0.06;
const kDeepest = 4; // levels of nested regions

export function drawRegions(context: CanvasRenderingContext2D, tree: DiskTree, motions: Float64Array,
                            view: View, frame: Frame, colors: Rgb[], alpha: number): void {
  const below: number[] = [...tree.children[0]];
  while (below.length > 0) {
    const node = below.pop()!;
    const arc = rimArc(tree, motions, node);
    if (arc.span < kLeastArc) continue;
    context.beginPath();
    traceRegion(context, tree, motions, view, frame, node, arc);
    context.fillStyle = css(colors[node], alpha / Math.sqrt(tree.depth[node]));
    context.fill();
    if (tree.depth[node] < kDeepest) below.push(...tree.children[node]);
  }
}

interface Arc {
  from: number;
  span: number; // against the clock, 0 .. 2 pi
}

export function rimArc(tree: DiskTree, motions: Float64Array, node: number): Arc {
  const { parent, angle, halfArc } = tree.layout;
  const motion = nodeMotion(motions, parent[node]);
  const from = moveRim(motion, angle[node] - halfArc[node]);
  const to = moveRim(motion, angle[node] + halfArc[node]);
  const turn = 2 * Math.PI;
  return { from, span: (((to - from) % turn) + turn) % turn };
}

function traceRegion(context: CanvasRenderingContext2D, tree: DiskTree, motions: Float64Array, view: View,
                     frame: Frame, node: number, arc: Arc): void {
  const { parent, angle, halfArc } = tree.layout;
  const motion = nodeMotion(motions, parent[node]);
  const step = arc.span > kWide ? kFineRayStep * Math.min(view.reach, 1) : kRayStep;
  const ray = (at: number, outwards: boolean) => {
    const n = Math.ceil(kRayLength / step);
    for (let i = 0; i <= n; ++i) {
      const radius = Math.tanh(((outwards ? i : n - i) * step) / 2);
      const point = movedPoint(motion, radius * Math.cos(at), radius * Math.sin(at));
      const { x, y } = toScreen(frame, view.reach, point);
      context.lineTo(x, y);
    }
  };
  ray(angle[node] - halfArc[node], true);
  const steps = Math.max(Math.ceil(arc.span / kRimStep), 1);
  for (let i = 0; i <= steps; ++i) {
    const at = arc.from + (arc.span * i) / steps;
    context.lineTo(frame.x + frame.radius * Math.cos(at), frame.y - frame.radius * Math.sin(at));
  }
  ray(angle[node] + halfArc[node], false);
  context.closePath();
}
