// Motions of the hyperbolic plane in the Poincare disk: z -> (a z + b) / (conj(b) z + conj(a)) with
// |a|^2 - |b|^2 = 1, as (Re a, Im a, Re b, Im b). Points are polar (angle, hyperbolic distance):
// unlike x and y, which come within rounding of the rim at distance 37, they keep their precision.
export type Motion = readonly [number, number, number, number];

export interface Polar {
  angle: number;
  distance: number;
}

export const kRest: Motion = [1, 0, 0, 0];

// Takes the origin to the point, and the direction of angle 0 away from the origin.
export function motionTo(point: Polar): Motion {
  const re = Math.cos(point.angle / 2);
  const im = Math.sin(point.angle / 2);
  const cosh = Math.cosh(point.distance / 2);
  const sinh = Math.sinh(point.distance / 2);
  return [re * cosh, im * cosh, re * sinh, im * sinh];
}

// Moves along the geodesic through the origin in direction `angle`, without a turn.
export function translation(angle: number, distance: number): Motion {
  const sinh = Math.sinh(distance / 2);
  return [Math.cosh(distance / 2), 0, Math.cos(angle) * sinh, Math.sin(angle) * sinh];
}

export function rotation(angle: number): Motion {
  return [Math.cos(angle / 2), Math.sin(angle / 2), 0, 0];
}

// First n, then m.
export function compose(m: Motion, n: Motion): Motion {
  const [ar, ai, br, bi] = m;
  const [cr, ci, dr, di] = n;
  return [
    ar * cr - ai * ci + br * dr + bi * di,
    ar * ci + ai * cr + bi * dr - br * di,
    ar * dr - ai * di + br * cr + bi * ci,
    ar * di + ai * dr + bi * cr - br * ci,
  ];
}

export function inverse([ar, ai, br, bi]: Motion): Motion {
  return [ar, -ai, -br, -bi];
}

// Where it takes the origin.
export function origin([ar, ai, br, bi]: Motion): Polar {
  return {
    angle: Math.atan2(br * ai + bi * ar, br * ar - bi * ai),
    distance: 2 * Math.asinh(Math.hypot(br, bi)),
  };
}

export function movePoint(motion: Motion, point: Polar): Polar {
  return origin(compose(motion, motionTo(point)));
}

// The angle at which it puts the point of the rim at `angle`.
export function moveRim([ar, ai, br, bi]: Motion, angle: number): number {
  const x = Math.cos(angle);
  const y = Math.sin(angle);
  const upper = Math.atan2(ar * y + ai * x + bi, ar * x - ai * y + br);
  const lower = Math.atan2(br * y - bi * x - ai, br * x + bi * y + ar);
  return upper - lower;
}

// Rounding lets |a|^2 - |b|^2 drift from 1 over thousands of drags.
export function normalized([ar, ai, br, bi]: Motion): Motion {
  // Of a and b far from the origin only the ratio of their lengths matters: keep b, mend a.
  const a = Math.hypot(ar, ai);
  const scale = Math.sqrt(1 + br * br + bi * bi) / a;
  return [ar * scale, ai * scale, br, bi];
}

export function distanceBetween(a: Polar, b: Polar): number {
  return origin(compose(inverse(motionTo(a)), motionTo(b))).distance;
}

export function wrapAngle(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

const kTurnFrom = 1; // nearer to the middle than this a drag is a pure translation,
const kTurnAll = 4; // farther than this it turns the disk and moves along the radius

// A motion that takes `from` to `to`, as a hand would. Near the middle the translation without a
// turn; far out that would swing the whole plane around for a small drag along the rim, so there it
// is a turn about the middle followed by a step along the radius.
export function dragMotion(from: Polar, to: Polar): Motion {
  const far = Math.min(from.distance, to.distance);
  const share = Math.min(Math.max((far - kTurnFrom) / (kTurnAll - kTurnFrom), 0), 1);
  const turn = share * share * (3 - 2 * share) * wrapAngle(to.angle - from.angle);
  const turned = { angle: from.angle + turn, distance: from.distance };
  return compose(pureTranslation(turned, to), rotation(turn));
}

// The translation z -> (z + t) / (1 + conj(t) z) that takes p to q:
// t = (d + c conj(d)) / (1 - |c|^2), with d = q - p and c = p q.
function pureTranslation(from: Polar, to: Polar): Motion {
  if (Math.abs(wrapAngle(from.angle - to.angle)) < 1e-12) {
    return translation(to.angle, to.distance - from.distance);
  }
  const p = Math.tanh(from.distance / 2);
  const q = Math.tanh(to.distance / 2);
  const dx = q * Math.cos(to.angle) - p * Math.cos(from.angle);
  const dy = q * Math.sin(to.angle) - p * Math.sin(from.angle);
  const cx = p * q * Math.cos(from.angle + to.angle);
  const cy = p * q * Math.sin(from.angle + to.angle);
  const rest = 1 - p * p * q * q;
  const tx = (dx + cx * dx + cy * dy) / rest;
  const ty = (dy + cy * dx - cx * dy) / rest;
  const length = Math.hypot(tx, ty);
  return translation(Math.atan2(ty, tx), 2 * Math.atanh(Math.min(length, 1 - 1e-12)));
}
