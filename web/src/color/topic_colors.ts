import type { DiskTree } from '../geometry/disk_tree';
import { categories, grey, mix, type Rgb } from './palette';

const kSpread = 0.3; // how far the lightest and darkest branch of a topic lie from its colour

// A colour for each topic: a hue for each branch of the root, in the order around the disk so that
// neighbours differ, and a shade of it for each of the branches below that.
export function topicColors(tree: DiskTree, dark: boolean): Rgb[] {
  const hues = categories(dark);
  const colors: Rgb[] = new Array(tree.n);
  colors[0] = grey(dark);
  const branches = tree.children[0];
  branches.forEach((branch, i) => {
    // Around a circle the last meets the first, so it must not have the first one's hue.
    const closes = i === branches.length - 1 && i > 0 && i % hues.length === 0;
    paint(tree, branch, hues[closes ? 3 : i % hues.length], colors);
  });
  return colors;
}

function paint(tree: DiskTree, branch: number, hue: Rgb, colors: Rgb[]): void {
  colors[branch] = hue;
  const children = tree.children[branch];
  children.forEach((child, i) => {
    // Light and dark alternate, so that neighbours differ most.
    const depth = kSpread * (0.4 + 0.6 * (i / Math.max(children.length - 1, 1)));
    const shade = i % 2 === 0 ? mix(hue, [255, 255, 255], depth) : mix(hue, [0, 0, 0], depth * 0.75);
    const below = [child];
    while (below.length > 0) {
      const node = below.pop()!;
      colors[node] = shade;
      below.push(...tree.children[node]);
    }
  });
}
