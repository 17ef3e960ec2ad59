// From hyperbolic distance to distance from the middle of the picture, whose rim is at 1:
// r = tanh(distance / (2 reach)). At reach 1 this is the Poincare disk, where shapes keep their
// form; a larger reach brings the far nearer, so that a tree of depth 15 is seen as a whole; a
// smaller one magnifies. All of the plane is always inside the rim.
export const kLeastReach = 0.12;

export function project(distance: number, reach: number): number {
  return Math.tanh(distance / (2 * reach));
}

export function unproject(radius: number, reach: number): number {
  return 2 * reach * Math.atanh(Math.min(radius, kRimmost));
}
const kRimmost = 0.9995; // the rim itself is infinitely far

// Picture lengths per hyperbolic length along the circle at this distance.
export function lateralScale(distance: number, reach: number): number {
  return distance < 1e-6 ? 1 / (2 * reach) : project(distance, reach) / Math.sinh(distance);
}

// The reach at which a distance is seen at a radius.
export function reachFor(distance: number, radius: number): number {
  return Math.max(distance / (2 * Math.atanh(radius)), kLeastReach);
}
