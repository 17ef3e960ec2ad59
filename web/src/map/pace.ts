// How many items a frame draws. A slow graphics card (or none, as in a virtual machine) could not
// move a million at a pleasant rate; as items are in the order of a fair sample, the first of them
// will do while the map moves, and all are drawn when it rests.
const kSlow = 34; // ms from frame to frame: above, fewer are drawn,
const kFast = 22; // below, more
const kLeast = 8192; // items that any machine can draw
const kGrowth = 1.15;

export class Pace {
  private share = 1;
  private last = 0;
  private wasMoving = false;

  next(now: number, isMoving: boolean, n: number): number {
    const ms = now - this.last;
    if (isMoving && this.wasMoving) {
      if (ms > kSlow) this.share = Math.max(this.share * Math.max(kSlow / ms, 0.2), Math.min(kLeast / n, 1));
      else if (ms < kFast) this.share = Math.min(this.share * kGrowth, 1);
    }
    this.last = now;
    this.wasMoving = isMoving;
    return isMoving ? Math.ceil(this.share * n) : n;
  }
}
