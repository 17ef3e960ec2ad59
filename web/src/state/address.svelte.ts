import { untrack } from 'svelte';
import type { Explorer } from './explorer.svelte';
import { fromQuery, toQuery, type Place } from './place';

const kViewDelay = 400; // ms: browsers refuse more than some hundred changes of the address a minute

// Keeps the address and what is shown the same. A new topic, item, comparison or search is a step
// that the back button undoes; filters, colours and the view change the step one is at.
export class Address {
  private last: Place | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isGoing = false;

  constructor(private readonly explorer: Explorer, private readonly atlas: string | null) {}

  // To be called once, where effects may be made.
  keep(): () => void {
    const onPop = () => void this.go(fromQuery(location.search));
    window.addEventListener('popstate', onPop);
    void this.go(fromQuery(location.search));
    $effect(() => {
      const place = { ...this.explorer.place, atlas: this.atlas };
      untrack(() => this.write(place));
    });
    return () => window.removeEventListener('popstate', onPop);
  }

  private async go(place: Place): Promise<void> {
    this.isGoing = true;
    this.last = place;
    try {
      await this.explorer.goTo(place);
    } finally {
      this.last = { ...this.explorer.place }; // without what was not there
      this.isGoing = false;
    }
  }

  private write(place: Place): void {
    clearTimeout(this.timer);
    if (this.isGoing) return;
    const isStep = this.last === null || isOtherStep(this.last, place);
    if (isStep) {
      this.last = place;
      // The view of before the flight would be wrong for the new topic.
      put('pushState', { ...place, view: null });
      return;
    }
    this.timer = setTimeout(() => {
      this.last = place;
      put('replaceState', place);
    }, kViewDelay);
  }
}

function isOtherStep(before: Place, now: Place): boolean {
  return before.node !== now.node || before.item !== now.item || before.compare !== now.compare ||
    (before.query === '') !== (now.query === '') || before.scope !== now.scope;
}

function put(how: 'pushState' | 'replaceState', place: Place): void {
  try {
    history[how](null, '', location.pathname + toQuery(place) + location.hash);
  } catch {
    // A page within another, or a browser that counts changes, may refuse: only the link is not kept.
  }
}
