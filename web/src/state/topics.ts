import type { Topic, TopicBrief } from '../api/types';

export interface TopicEntry extends TopicBrief {
  parent: number | null;
  depth: number;
  children: number[];
}

// The tree as a list by number.
export function flatten(root: Topic): TopicEntry[] {
  const topics: TopicEntry[] = [];
  const left: { topic: Topic; parent: number | null; depth: number }[] = [{ topic: root, parent: null, depth: 0 }];
  while (left.length > 0) {
    const { topic, parent, depth } = left.pop()!;
    const { node, name, size, keywords, children } = topic;
    topics[node] = {
      node, name, size, keywords, parent, depth,
      children: [...children].sort((a, b) => b.size - a.size || a.node - b.node).map((child) => child.node),
    };
    for (const child of children) left.push({ topic: child, parent: node, depth: depth + 1 });
  }
  return topics;
}
