import type { ScreenPoint } from './camera';
import type { MapEngine } from './map_engine';
import type { Picked } from './picker';

export interface PointerEvents {
  hover: (at: ScreenPoint, picked: Picked | null) => void;
  choose: (picked: Picked | null) => void;
  isCalm: () => boolean; // no movement that nobody asked for
}

const kClickSlack = 4; // pixels that a hand may tremble in a click
const kWheelStep = 0.0016; // zoom per pixel of wheel
const kPinchWheelStep = 0.01; // browsers report a pinch on a touch pad as a wheel with ctrl

// Mouse, pen and fingers on the map: one drags, two pinch.
export class MapPointer {
  private readonly down = new Map<number, ScreenPoint>();
  private travelled = 0;
  private pressedAt: ScreenPoint = { x: 0, y: 0 };
  private trail: { at: ScreenPoint; time: number }[] = [];
  private hoverRequest = 0;
  private readonly stops: (() => void)[] = [];

  constructor(private readonly target: HTMLElement, private readonly map: MapEngine,
              private readonly events: PointerEvents) {
    this.listen('pointerdown', (event) => this.press(event));
    this.listen('pointermove', (event) => this.move(event));
    this.listen('pointerup', (event) => this.release(event, true));
    this.listen('pointercancel', (event) => this.release(event, false));
    this.listen('pointerleave', () => this.leave());
    this.listen('wheel', (event) => this.wheel(event));
  }
  stop(): void {
    for (const stop of this.stops) stop();
  }

  private listen<K extends keyof HTMLElementEventMap>(type: K, listener: (event: HTMLElementEventMap[K]) => void) {
    this.target.addEventListener(type, listener, { passive: false });
    this.stops.push(() => this.target.removeEventListener(type, listener));
  }
  private at(event: MouseEvent): ScreenPoint {
    const box = this.target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.target.setPointerCapture(event.pointerId);
    this.map.halt();
    this.down.set(event.pointerId, this.at(event));
    if (this.down.size === 1) {
      this.travelled = 0;
      this.pressedAt = this.at(event);
    }
    this.trail = [];
  }

  private move(event: PointerEvent): void {
    const at = this.at(event);
    const before = this.down.get(event.pointerId);
    if (!before) {
      this.hover(at);
      return;
    }
    this.travelled += Math.hypot(at.x - before.x, at.y - before.y);
    const others = [...this.down].filter(([id]) => id !== event.pointerId);
    this.down.set(event.pointerId, at);
    if (others.length > 0) {
      const [, other] = others[0];
      const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 };
      const was = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
      const spread = Math.hypot(at.x - other.x, at.y - other.y) / Math.max(Math.hypot(before.x - other.x, before.y - other.y), 1);
      this.map.drag(was, middle);
      this.map.zoom(spread, middle);
    } else if (this.travelled > kClickSlack) {
      this.events.hover(at, null);
      // The first step makes up for those that might have been a trembling click.
      this.map.drag(this.trail.length === 0 ? this.pressedAt : before, at);
      this.trail.push({ at, time: event.timeStamp });
      if (this.trail.length > 5) this.trail.shift();
    }
  }

  private release(event: PointerEvent, isDone: boolean): void {
    if (!this.down.delete(event.pointerId) || this.down.size > 0) return;
    const at = this.at(event);
    if (isDone && this.travelled <= kClickSlack) {
      this.events.choose(this.map.pick(at));
    } else if (isDone && !this.events.isCalm() && this.trail.length > 1) {
      const first = this.trail[0];
      const ms = event.timeStamp - first.time;
      const isResting = event.timeStamp - this.trail[this.trail.length - 1].time > 60;
      if (ms > 0 && !isResting) this.map.throwFrom(at, (at.x - first.at.x) / ms, (at.y - first.at.y) / ms);
    }
  }

  private hover(at: ScreenPoint): void {
    cancelAnimationFrame(this.hoverRequest);
    this.hoverRequest = requestAnimationFrame(() => this.events.hover(at, this.map.pick(at)));
  }
  private leave(): void {
    cancelAnimationFrame(this.hoverRequest);
    this.events.hover({ x: 0, y: 0 }, null);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const step = event.ctrlKey ? kPinchWheelStep : kWheelStep;
    const turned = Math.min(Math.max(event.deltaY * lines, -400), 400);
    this.map.zoom(Math.exp(-turned * step), this.at(event));
  }
}
