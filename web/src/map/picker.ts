import { nodeMotion, type DiskTree, type View } from '../geometry/disk_tree';
import { compose, inverse, motionTo, origin } from '../geometry/motion';
import { lateralScale, project } from '../geometry/projection';
import { fromScreen, movedPoint, toScreen, type Frame, type ScreenPoint } from './camera';
import type { Items } from './items';

export type Picked = { kind: 'item'; item: number } | { kind: 'topic'; node: number };

const kItemReach = 7; // CSS pixels from the pointer
const kTopicReach = 9;
const kMostScanned = 200_000; // items of a frame; a topic of more is sampled, as its slots are

// What lies under the pointer. Topics' own items fill disks that do not meet, so the pointer is in
// few of them, and only their items are looked at: the work does not grow with the atlas.
export function pick(tree: DiskTree, items: Items, motions: Float64Array, view: View, frame: Frame,
                     pointer: ScreenPoint, accepts: (slot: number) => boolean): Picked | null {
  const at = fromScreen(frame, view.reach, pointer);
  const rim = Math.hypot(pointer.x - frame.x, pointer.y - frame.y) / frame.radius;
  if (rim > 1) return null;
  const toPointer = motionTo(at);
  // Pixels along the circle are the dearest in hyperbolic length, up to the radius itself.
  const slack = Math.min(kItemReach / (lateralScale(at.distance, view.reach) * frame.radius), 2 * at.distance + 1);
  let topic: Picked | null = null;
  let item: Picked | null = null;
  let nearestTopic = kTopicReach;
  let nearestItem = kItemReach;
  for (let node = 0; node < tree.n; ++node) {
    const motion = nodeMotion(motions, node);
    const place = origin(motion);
    const screen = toScreen(frame, view.reach, place);
    const pixels = Math.hypot(screen.x - pointer.x, screen.y - pointer.y);
    if (pixels < nearestTopic) {
      nearestTopic = pixels;
      topic = { kind: 'topic', node };
    }
    const own = items.own(node);
    if (own.length === 0 || Math.abs(place.distance - at.distance) > tree.layout.itemRadius[node] + slack) continue;
    const inFrame = origin(compose(inverse(motion), toPointer));
    if (inFrame.distance > tree.layout.itemRadius[node] + slack) continue;
    for (let i = 0; i < Math.min(own.length, kMostScanned); ++i) {
      const slot = own[i];
      if (!accepts(slot)) continue;
      const moved = movedPoint(motion, items.place[2 * slot], items.place[2 * slot + 1]);
      const radius = frame.radius * project(moved.distance, view.reach);
      const x = frame.x + radius * Math.cos(moved.angle);
      const y = frame.y - radius * Math.sin(moved.angle);
      const away = Math.hypot(x - pointer.x, y - pointer.y);
      if (away < nearestItem) {
        nearestItem = away;
        item = { kind: 'item', item: items.itemOf[slot] };
      }
    }
  }
  // Of both the nearer, but a topic's dot is small: it wins ties.
  return topic && nearestTopic <= nearestItem + 2 ? topic : item;
}
