import { nodeMotion, type View } from '../geometry/disk_tree';
import { origin, type Motion, type Polar } from '../geometry/motion';
import { project, unproject } from '../geometry/projection';

// Where the disk lies on the screen, in CSS pixels.
export interface Frame {
  width: number;
  height: number;
  left: number; // what panels leave free of it
  right: number;
  x: number; // the middle of the disk
  y: number;
  radius: number;
}

export interface ScreenPoint {
  x: number;
  y: number;
}

export function toScreen(frame: Frame, reach: number, point: Polar): ScreenPoint {
  const radius = frame.radius * project(point.distance, reach);
  // Screens count y downwards, angles go against the clock.
  return { x: frame.x + radius * Math.cos(point.angle), y: frame.y - radius * Math.sin(point.angle) };
}

export function fromScreen(frame: Frame, reach: number, point: ScreenPoint): Polar {
  const dx = point.x - frame.x;
  const dy = frame.y - point.y;
  return {
    angle: Math.atan2(dy, dx),
    distance: unproject(Math.hypot(dx, dy) / frame.radius, reach),
  };
}

// A node's own point (x, y) of the Poincare disk, moved: exact where x and y near the rim are not.
export function movedPoint([ar, ai, br, bi]: Motion, x: number, y: number): Polar {
  const ur = ar * x - ai * y + br;
  const ui = ar * y + ai * x + bi;
  const vr = br * x + bi * y + ar; // conj(b) z + conj(a)
  const vi = br * y - bi * x - ai;
  return {
    angle: Math.atan2(ui * vr - ur * vi, ur * vr + ui * vi),
    distance: 2 * Math.asinh(Math.hypot(ur, ui) / Math.sqrt(1 - x * x - y * y)),
  };
}

export function nodeOnScreen(frame: Frame, view: View, motions: Float64Array, node: number): ScreenPoint {
  return toScreen(frame, view.reach, origin(nodeMotion(motions, node)));
}
