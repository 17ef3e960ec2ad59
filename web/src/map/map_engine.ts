import type { Coloring } from '../color/coloring';
import type { Rgb } from '../color/palette';
import { DiskTree, type View } from '../geometry/disk_tree';
import { flightTo, type Flight } from '../geometry/flight';
import { dragMotion, kRest, translation } from '../geometry/motion';
import { kLeastReach, project, reachFor } from '../geometry/projection';
import { fromScreen, type Frame, type ScreenPoint } from './camera';
import type { Items } from './items';
import { Overlay, type ItemNames, type Marks } from './overlay';
import { Pace } from './pace';
import { pick, type Picked } from './picker';
import { PointsGl, type PointStyle } from './points_gl';
import { drawRegions } from './regions';
import type { MapTheme } from './theme';

export interface MapCanvases {
  regions: HTMLCanvasElement;
  points: HTMLCanvasElement;
  labels: HTMLCanvasElement;
}
export interface Insets {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const kOverviewRadius = 0.94; // where the farthest items are seen from the root
const kFitRadius = 0.66; // where a topic's own things end after flying there
const kMargin = 14; // pixels between rim and window
const kQuietRegions = 0.35; // of the regions' colour, where colours mean something else
const kRestAfter = 140; // ms without a movement
const kThrowDecay = 0.0045; // per ms: a thrown map comes to rest in half a second

// The map without its handles: draws when something has changed, and only then.
export class MapEngine {
  view: View;
  readonly overviewReach: number;
  onView: (view: View, atRest: boolean) => void = () => {};
  private frame: Frame = { width: 1, height: 1, left: 0, right: 1, x: 0, y: 0, radius: 1 };
  private pixelRatio = 1;
  private readonly motions: Float64Array;
  private readonly overlay: Overlay;
  private gl: PointsGl | null = null;
  private readonly colors: Uint8Array;
  private readonly flags: Uint8Array;
  private flight: { plan: Flight; start: number; done: () => void } | null = null;
  private thrown: { x: number; y: number; vx: number; vy: number; at: number } | null = null;
  private request = 0;
  private readonly pace = new Pace();
  private hasMoved = false; // by hand, since the last frame
  private restTimer: ReturnType<typeof setTimeout> | undefined;
  private marks: Marks = { selectedNode: null, comparedNode: null, hoveredNode: null, selectedItem: null,
    hoveredItem: null, neighbors: [] };
  private isSearching = false;
  private regionShare = 1;
  private passes: (item: number) => boolean = () => true;
  frameMs = 0; // of the last frame, in JavaScript

  constructor(private readonly canvases: MapCanvases, readonly tree: DiskTree, readonly items: Items,
              names: readonly string[], private topicColors: Rgb[], private theme: MapTheme) {
    this.motions = new Float64Array(4 * tree.n);
    this.overlay = new Overlay(tree, names);
    this.colors = new Uint8Array(4 * items.capacity);
    this.flags = new Uint8Array(items.capacity);
    this.overviewReach = reachFor(tree.wholeExtent(), kOverviewRadius);
    this.view = { anchor: 0, motion: kRest, reach: this.overviewReach };
    tree.motions(this.view, this.motions);
  }

  // Throws without WebGL 2; the rest of the map works all the same.
  startPoints(): void {
    this.gl = new PointsGl(this.canvases.points, this.tree, this.items);
    this.gl.uploadItems();
    this.gl.uploadColors(this.colors);
    this.gl.uploadFlags(this.flags);
    this.redraw();
  }
  stop(): void {
    cancelAnimationFrame(this.request);
    clearTimeout(this.restTimer);
    this.request = -1;
  }

  resize(width: number, height: number, insets: Insets, pixelRatio: number): void {
    const x = (insets.left + width - insets.right) / 2;
    const y = (insets.top + height - insets.bottom) / 2;
    const room = Math.min(width - insets.left - insets.right, height - insets.top - insets.bottom) / 2;
    this.frame = { width, height, left: insets.left, right: width - insets.right, x, y, radius: Math.max(room - kMargin, 40) };
    this.pixelRatio = pixelRatio;
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.round(width * pixelRatio);
      canvas.height = Math.round(height * pixelRatio);
    }
    this.redraw();
  }

  setTheme(theme: MapTheme, topicColors: Rgb[]): void {
    this.theme = theme;
    this.topicColors = topicColors;
    this.redraw();
  }
  setColoring(coloring: Coloring): void {
    const { items, colors } = this;
    // Under colours of another meaning the regions' hues would mislead.
    this.regionShare = coloring.legend.kind === 'topics' ? 1 : kQuietRegions;
    for (let slot = 0; slot < items.n; ++slot) {
      const [r, g, b] = coloring.colorOf(items.itemOf[slot], items.node[slot]);
      colors[4 * slot] = r;
      colors[4 * slot + 1] = g;
      colors[4 * slot + 2] = b;
      colors[4 * slot + 3] = 255;
    }
    this.gl?.uploadItems();
    this.gl?.uploadColors(colors);
    this.redraw();
  }
  setFilter(passes: (item: number) => boolean): void {
    const { items, flags } = this;
    this.passes = passes;
    for (let slot = 0; slot < items.n; ++slot) {
      flags[slot] = (passes(items.itemOf[slot]) ? 0 : 1) | (items.outlier[slot] ? 2 : 0);
    }
    this.gl?.uploadItems();
    this.gl?.uploadFlags(flags);
    this.redraw();
  }
  setHits(hits: readonly number[] | null): void {
    const slots = (hits ?? []).map((item) => this.items.slotOf[item]).filter((slot) => slot < this.items.n);
    this.isSearching = hits !== null;
    this.gl?.uploadHits(Uint32Array.from(slots.reverse())); // the best is drawn last
    this.redraw();
  }
  setMarks(marks: Partial<Marks>): void {
    Object.assign(this.marks, marks);
    this.redraw();
  }

  setItemNames(names: ItemNames): void {
    this.overlay.itemNames = names;
    this.redraw();
  }

  setView(view: View): void {
    this.flight = this.thrown = null;
    this.view = this.tree.reanchored(view);
    this.redraw();
  }
  reachOf(node: number): number {
    if (node === 0) return this.overviewReach;
    return Math.min(reachFor(this.tree.extent(node), kFitRadius), this.overviewReach);
  }
  flyTo(node: number, isCalm: boolean, reach = this.reachOf(node)): Promise<void> {
    const plan = flightTo(this.tree, this.view, node, reach);
    this.thrown = null;
    this.flight?.done();
    if (isCalm) {
      this.setView(plan.at(1));
      return Promise.resolve();
    }
    return new Promise((done) => {
      this.flight = { plan, start: performance.now(), done };
      this.redraw();
    });
  }

  drag(from: ScreenPoint, to: ScreenPoint): void {
    this.flight = null;
    const motion = dragMotion(fromScreen(this.frame, this.view.reach, from), fromScreen(this.frame, this.view.reach, to));
    this.view = this.tree.moved(this.view, motion);
    this.hasMoved = true;
    this.redraw();
  }
  // Lets the map glide on after a drag, with the velocity in pixels per ms.
  throwFrom(at: ScreenPoint, vx: number, vy: number): void {
    if (Math.hypot(vx, vy) < 0.15) return;
    this.thrown = { ...at, vx, vy, at: performance.now() };
    this.redraw();
  }
  halt(): void {
    this.thrown = null;
  }

  // What is under the pointer stays there.
  zoom(factor: number, at: ScreenPoint): void {
    this.flight = this.thrown = null;
    const reach = Math.min(Math.max(this.view.reach / factor, kLeastReach), this.overviewReach * 1.2);
    const before = fromScreen(this.frame, this.view.reach, at);
    const after = fromScreen(this.frame, reach, at);
    const motion = translation(before.angle, after.distance - before.distance);
    this.view = { ...this.tree.moved(this.view, motion), reach };
    this.hasMoved = true;
    this.redraw();
  }

  pick(at: ScreenPoint): Picked | null {
    const label = this.overlay.labelAt(at);
    if (label !== null) return { kind: 'topic', node: label };
    return pick(this.tree, this.items, this.motions, this.view, this.frame, at,
      (slot) => this.passes(this.items.itemOf[slot]));
  }
  get disk(): Readonly<Frame> {
    return this.frame;
  }

  redraw(): void {
    if (this.request === 0) this.request = requestAnimationFrame((now) => this.drawFrame(now));
  }

  private drawFrame(now: number): void {
    this.request = 0;
    const start = performance.now();
    this.advance(now);
    this.tree.motions(this.view, this.motions);
    const { frame, view, theme, motions, pixelRatio } = this;
    const isMoving = this.flight !== null || this.thrown !== null || this.hasMoved;
    this.hasMoved = false;
    const nDrawn = this.pace.next(now, isMoving, this.items.n);
    this.gl?.draw(frame, view, motions, this.style(), pixelRatio, nDrawn);
    clearTimeout(this.restTimer);
    if (nDrawn < this.items.n) this.restTimer = setTimeout(() => this.redraw(), kRestAfter);
    this.drawGround();
    const context = this.canvases.labels.getContext('2d')!;
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    const isFading = this.overlay.draw(context, this.items, motions, view, frame, theme, this.marks, now);
    this.frameMs = performance.now() - start;
    const atRest = this.flight === null && this.thrown === null;
    this.onView(view, atRest);
    if (isFading || !atRest) this.redraw();
  }

  private advance(now: number): void {
    if (this.flight) {
      const { plan, start, done } = this.flight;
      const progress = Math.min(Math.max((now - start) / plan.duration, 0), 1);
      this.view = plan.at(progress);
      if (progress === 1) {
        this.flight = null;
        this.view = this.tree.reanchored(this.view);
        done();
      }
    } else if (this.thrown) {
      const thrown = this.thrown;
      const ms = Math.min(Math.max(now - thrown.at, 0), 50);
      const next = { x: thrown.x + thrown.vx * ms, y: thrown.y + thrown.vy * ms };
      const decay = Math.exp(-kThrowDecay * ms);
      this.drag(thrown, next);
      const isOver = Math.hypot(thrown.vx, thrown.vy) * decay < 0.02;
      this.thrown = isOver ? null : { ...next, vx: thrown.vx * decay, vy: thrown.vy * decay, at: now };
    }
  }

  private drawGround(): void {
    const { frame, theme, pixelRatio } = this;
    const context = this.canvases.regions.getContext('2d')!;
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    context.beginPath();
    context.arc(frame.x, frame.y, frame.radius, 0, 2 * Math.PI);
    context.fillStyle = theme.ground;
    context.fill();
    drawRegions(context, this.tree, this.motions, this.view, frame, this.topicColors, theme.regionAlpha * this.regionShare);
    context.beginPath();
    context.arc(frame.x, frame.y, frame.radius, 0, 2 * Math.PI);
    context.lineWidth = 1;
    context.strokeStyle = theme.rim;
    context.stroke();
  }

  // Few or magnified items are large and solid; millions are small and let each other through.
  private style(): PointStyle {
    const magnified = project(1, this.view.reach) * this.frame.radius; // pixels of length 1
    const crowd = Math.sqrt(5000 / Math.max(this.items.n, 5000));
    const size = Math.min(Math.max(1.2 + 3 * crowd + magnified / 90, 1.5), 9);
    const opacity = Math.min(0.45 + 0.4 * crowd + magnified / 800, 0.92) * (this.isSearching ? 0.28 : 1);
    const { faded, outline, edge } = this.theme;
    return { size, opacity, faded, outline, edge };
  }
}
