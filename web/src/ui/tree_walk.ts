import type { TopicEntry } from '../state/topics';

// Where an arrow key leads in the tree: up to the parent, down to the first child, left and right
// to the siblings.
export function walk(topics: readonly TopicEntry[], from: number, key: string): number | null {
  const topic = topics[from];
  if (!topic) return null;
  if (key === 'ArrowUp') return topic.parent;
  if (key === 'ArrowDown') return topic.children[0] ?? null;
  if (topic.parent === null) return null;
  const siblings = topics[topic.parent].children;
  const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return null;
  const at = siblings.indexOf(from);
  return siblings[(at + step + siblings.length) % siblings.length];
}

// The rows of the tree as it is opened, from the root down; those without items under the filters
// are left out. counts: items of each topic that pass, or null.
export function visibleRows(topics: readonly TopicEntry[], expanded: ReadonlySet<number>,
                            counts: Uint32Array | null): number[] {
  const rows: number[] = [];
  const left = [0];
  while (left.length > 0) {
    const node = left.pop()!;
    if (counts && counts[node] === 0 && node !== 0) continue;
    rows.push(node);
    if (!expanded.has(node)) continue;
    const { children } = topics[node];
    for (let i = children.length - 1; i >= 0; --i) left.push(children[i]);
  }
  return rows;
}
