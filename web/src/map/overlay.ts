import { kMissing } from '../api/types';
import { nodeMotion, nodePlace, type DiskTree, type View } from '../geometry/disk_tree';
import { lateralScale, project } from '../geometry/projection';
import { movedPoint, nodeOnScreen, toScreen, type Frame, type ScreenPoint } from './camera';
import type { Items } from './items';
import { LabelPlacer, type LabelCandidate } from './label_placer';
import type { MapTheme } from './theme';
import { shortText } from '../ui/format';

const kFont = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const kItemFont = `400 11.5px ${kFont}`;
const kMaxLabels = 70;
const kMaxChars = 34;
const kFadeMs = 160;
const kItemGap = 7; // pixels between an item and its name beside it
const kPadding = 5; // pixels between names
const kLeastLook = 7; // pixels that a topic's items must fill for it to have a name,
const kAlwaysNamed = 2; // unless it is as high in the tree as this
const kCandidates = 4000; // topics, the largest, that may have a name at a time

// Names of items, of which few are near enough to have one. Their keys among the names are ~item.
export type ItemNames = ReadonlyMap<number, string>;

export interface Marks {
  selectedNode: number | null;
  comparedNode: number | null;
  hoveredNode: number | null;
  selectedItem: number | null;
  hoveredItem: number | null;
  neighbors: readonly number[]; // of the selected item
}

// Names, and rings around what is selected, on a canvas over the points.
export class Overlay {
  private readonly placer = new LabelPlacer();
  private readonly alpha = new Map<number, number>();
  private readonly widths = new Map<string, number>();
  private readonly bySize: number[];
  private last = 0;
  private boxes: LabelCandidate[] = [];
  itemNames: ItemNames = new Map();

  constructor(private readonly tree: DiskTree, private readonly names: readonly string[]) {
    const { size } = tree.layout;
    this.bySize = Array.from({ length: tree.n }, (_, node) => node)
      .sort((a, b) => size[b] - size[a] || a - b)
      .slice(0, kCandidates);
  }

  // Draws; true while names are still fading.
  draw(context: CanvasRenderingContext2D, items: Items, motions: Float64Array, view: View, frame: Frame,
       theme: MapTheme, marks: Marks, now: number): boolean {
    context.clearRect(0, 0, frame.width, frame.height);
    const candidates = this.candidates(context, motions, view, frame, marks);
    this.addItems(candidates, context, items, motions, view, frame);
    const placed = this.placer.place(candidates, kMaxLabels);
    this.boxes = placed;
    const step = Math.min((now - this.last) / kFadeMs, 1);
    this.last = now;
    const shown = new Map(placed.map((label) => [label.node, label]));
    let isFading = false;
    for (const node of new Set([...this.alpha.keys(), ...shown.keys()])) {
      const goal = shown.has(node) ? 1 : 0;
      const before = this.alpha.get(node) ?? 0;
      const alpha = goal > before ? Math.min(before + step, 1) : Math.max(before - step * 1.6, 0);
      if (alpha === 0) this.alpha.delete(node);
      else this.alpha.set(node, alpha);
      if (alpha !== goal) isFading = true;
    }
    this.drawMarks(context, items, motions, view, frame, theme, marks);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.lineJoin = 'round';
    for (const [node, alpha] of this.alpha) {
      if (node >= 0) {
        this.drawLabel(context, node, nodeOnScreen(frame, view, motions, node), alpha, theme, marks);
        continue;
      }
      const at = itemOnScreen(items, motions, view, frame, ~node);
      const name = this.itemNames.get(~node);
      if (at && name !== undefined) drawItemName(context, name, at, alpha, theme);
    }
    context.globalAlpha = 1;
    return isFading;
  }

  labelAt({ x, y }: ScreenPoint): number | null {
    const hit = this.boxes.find((box) =>
      Math.abs(box.x - x) * 2 < box.width && Math.abs(box.y - y) * 2 < box.height);
    return hit && hit.node >= 0 ? hit.node : null;
  }

  private candidates(context: CanvasRenderingContext2D, motions: Float64Array, view: View, frame: Frame,
                     marks: Marks): LabelCandidate[] {
    const { size, itemRadius } = this.tree.layout;
    const nearby = [...this.tree.children[view.anchor], ...this.tree.path(view.anchor)];
    const result: LabelCandidate[] = [];
    for (const node of new Set([...nearby, ...this.bySize])) {
      if (node === 0 && this.tree.n > 1) continue;
      const place = nodePlace(motions, node);
      const radius = project(place.distance, view.reach);
      if (radius > 0.985) continue;
      const { x, y } = toScreen(frame, view.reach, place);
      if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
      // How large the topic's own country looks; a crumb at the rim needs no name.
      const looks = frame.radius * lateralScale(place.distance, view.reach) * Math.sinh(Math.min(itemRadius[node], 3));
      const near = 1 - radius * radius;
      const marked = node === marks.selectedNode || node === marks.comparedNode || node === marks.hoveredNode;
      if (looks < kLeastLook && this.tree.depth[node] > kAlwaysNamed && !marked) continue;
      const importance = marked ? Infinity : Math.sqrt(size[node]) * (0.15 + near) * (1 + Math.min(looks / 40, 3));
      const font = this.font(node);
      const width = this.width(context, this.text(node), font) + 2 * kPadding;
      const isCut = x - width / 2 < frame.left || x + width / 2 > frame.right;
      if (isCut && !marked) continue;
      result.push({ node, x, y, width, height: fontSize(font) + kPadding + 2, importance });
    }
    return result;
  }

  private addItems(candidates: LabelCandidate[], context: CanvasRenderingContext2D, items: Items,
                   motions: Float64Array, view: View, frame: Frame): void {
    for (const [item, name] of this.itemNames) {
      const at = itemOnScreen(items, motions, view, frame, item);
      if (!at || Math.hypot(at.x - frame.x, at.y - frame.y) > 0.9 * frame.radius) continue;
      const width = this.width(context, name, kItemFont) + kPadding;
      if (at.x + kItemGap + width > frame.right) continue;
      candidates.push({ node: ~item, x: at.x + kItemGap + width / 2, y: at.y, width, height: 15, importance: 0.1 });
    }
  }

  private text(node: number): string {
    return shortText(this.names[node], kMaxChars);
  }
  private font(node: number): string {
    const depth = this.tree.depth[node];
    return depth <= 1 ? `600 14.5px ${kFont}` : depth === 2 ? `500 12px ${kFont}` : `400 11px ${kFont}`;
  }
  private width(context: CanvasRenderingContext2D, text: string, font: string): number {
    const key = font + text;
    let width = this.widths.get(key);
    if (width === undefined) {
      context.font = font;
      this.widths.set(key, (width = context.measureText(text).width));
    }
    return width;
  }

  private drawLabel(context: CanvasRenderingContext2D, node: number, { x, y }: ScreenPoint, alpha: number,
                    theme: MapTheme, marks: Marks): void {
    context.globalAlpha = alpha;
    context.font = this.font(node);
    context.strokeStyle = theme.halo;
    context.lineWidth = 4;
    const text = this.text(node);
    context.strokeText(text, x, y);
    const isMarked = node === marks.selectedNode || node === marks.hoveredNode || node === marks.comparedNode;
    context.fillStyle = isMarked ? theme.accent : theme.text;
    context.fillText(text, x, y);
  }

  private drawMarks(context: CanvasRenderingContext2D, items: Items, motions: Float64Array, view: View,
                    frame: Frame, theme: MapTheme, marks: Marks): void {
    const itemAt = (item: number) => itemOnScreen(items, motions, view, frame, item);
    const ring = (at: ScreenPoint, radius: number, width: number) => {
      context.beginPath();
      context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
      context.lineWidth = width + 2;
      context.strokeStyle = theme.halo;
      context.stroke();
      context.lineWidth = width;
      context.strokeStyle = theme.accent;
      context.stroke();
    };
    // A topic whose name stands there, in another colour, needs no ring through it.
    for (const node of [marks.selectedNode, marks.comparedNode, marks.hoveredNode]) {
      if (node !== null && !this.alpha.has(node)) ring(nodeOnScreen(frame, view, motions, node), 8, 1.5);
    }
    const selected = marks.selectedItem === null ? null : itemAt(marks.selectedItem);
    if (selected) {
      context.strokeStyle = theme.accent;
      context.lineWidth = 1;
      context.globalAlpha = 0.6;
      for (const neighbor of marks.neighbors) {
        const at = itemAt(neighbor);
        if (!at) continue;
        context.beginPath();
        context.moveTo(selected.x, selected.y);
        context.lineTo(at.x, at.y);
        context.stroke();
      }
      context.globalAlpha = 1;
      ring(selected, 7, 2.5);
    }
    const hovered = marks.hoveredItem === null ? null : itemAt(marks.hoveredItem);
    if (hovered) ring(hovered, 6, 1.5);
  }
}

function itemOnScreen(items: Items, motions: Float64Array, view: View, frame: Frame, item: number): ScreenPoint | null {
  const slot = items.slotOf[item];
  if (slot === undefined || slot === kMissing) return null;
  const motion = nodeMotion(motions, items.node[slot]);
  return toScreen(frame, view.reach, movedPoint(motion, items.place[2 * slot], items.place[2 * slot + 1]));
}

function drawItemName(context: CanvasRenderingContext2D, name: string, { x, y }: ScreenPoint, alpha: number,
                      theme: MapTheme): void {
  context.globalAlpha = alpha;
  context.font = kItemFont;
  context.textAlign = 'left';
  context.lineWidth = 3;
  context.strokeStyle = theme.halo;
  context.strokeText(name, x + kItemGap, y);
  context.fillStyle = theme.quiet;
  context.fillText(name, x + kItemGap, y);
  context.textAlign = 'center';
}

function fontSize(font: string): number {
  return Number(/([\d.]+)px/.exec(font)![1]);
}
