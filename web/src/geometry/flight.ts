import { DiskTree, type View } from './disk_tree';
import { compose, origin, translation } from './motion';

// A flight along the geodesic from what is in the middle to a node. The plane does not turn.
export interface Flight {
  duration: number; // ms
  at(progress: number): View; // 0 .. 1
}

const kMsPerUnit = 130; // of hyperbolic distance
const kLongest = 1600;
const kShortest = 350;

export function flightTo(tree: DiskTree, from: View, node: number, reach: number): Flight {
  const start = { anchor: node, motion: tree.motionOf(from, node), reach: from.reach };
  const { angle, distance } = origin(start.motion);
  const stretch = Math.abs(Math.log(reach / from.reach));
  // A long way is seen from farther off, or it would be a blur of rim.
  const farthest = Math.max(from.reach, reach, distance / 8);
  return {
    duration: Math.min(Math.max(kMsPerUnit * (distance + stretch), kShortest), kLongest),
    at(progress) {
      const eased = progress * progress * (3 - 2 * progress);
      const straight = from.reach * Math.pow(reach / from.reach, eased);
      const rise = Math.sin(Math.PI * eased) ** 2;
      return {
        anchor: node,
        motion: compose(translation(angle, -eased * distance), start.motion),
        reach: straight * Math.pow(Math.max(farthest / straight, 1), rise),
      };
    },
  };
}
