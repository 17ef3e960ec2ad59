import type { SnippetPiece } from './types';

const kK1 = 1.2; // BM25, as carya/text has it
const kB = 0.75;
const kPrefixWeight = 0.5; // of a word that only begins as the query's does
const kLeastPrefix = 2; // letters from which on beginnings of words are looked for
const kSnippet = 300; // characters

export interface Scored {
  item: number;
  score: number;
}

export function words(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(stem);
}

// Plurals are the same word; more would need a stemmer of the text's language.
function stem(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word;
}

// Search by words in the page itself.
export class WordIndex {
  private readonly postings = new Map<string, { items: number[]; counts: number[] }>();
  private readonly vocabulary: string[];
  private readonly lengths: Uint32Array;
  private readonly meanLength: number;

  constructor(private readonly texts: readonly string[]) {
    this.lengths = new Uint32Array(texts.length);
    let total = 0;
    for (let item = 0; item < texts.length; ++item) {
      const all = words(texts[item]);
      this.lengths[item] = all.length;
      total += all.length;
      for (const word of all) {
        let list = this.postings.get(word);
        if (!list) this.postings.set(word, (list = { items: [], counts: [] }));
        const last = list.items.length - 1;
        if (last >= 0 && list.items[last] === item) ++list.counts[last];
        else {
          list.items.push(item);
          list.counts.push(1);
        }
      }
    }
    this.meanLength = total / Math.max(texts.length, 1) || 1;
    this.vocabulary = [...this.postings.keys()].sort();
  }

  // Best first, equal scores by rising item.
  search(query: string, accepts: (item: number) => boolean): Scored[] {
    const scores = new Map<number, number>();
    for (const word of new Set(words(query))) {
      const best = new Map<number, number>(); // an item counts a query's word once
      for (const [match, weight] of this.matches(word)) this.score(match, weight, accepts, best);
      for (const [item, score] of best) scores.set(item, (scores.get(item) ?? 0) + score);
    }
    return [...scores].map(([item, score]) => ({ item, score })).sort((a, b) => b.score - a.score || a.item - b.item);
  }

  // The text, or its part around the first match, in pieces.
  snippet(item: number, query: string): SnippetPiece[] {
    const text = this.texts[item];
    const wanted = words(query);
    const isMatch = (word: string) => wanted.some((w) =>
      stem(word) === w || (w.length >= kLeastPrefix && word.startsWith(w)));
    const first = [...text.matchAll(/[\p{L}\p{N}]+/gu)].find(([word]) => isMatch(word.toLowerCase()))?.index ?? 0;
    const begin = first > kSnippet / 2 ? first - kSnippet / 4 : 0;
    const pieces: SnippetPiece[] = begin > 0 ? [{ text: '…', match: false }] : [];
    for (const part of text.slice(begin, begin + kSnippet).split(/([\p{L}\p{N}]+)/u)) {
      if (part === '') continue;
      const match = isMatch(part.toLowerCase());
      const last = pieces[pieces.length - 1];
      if (last && last.match === match) last.text += part;
      else pieces.push({ text: part, match });
    }
    return pieces;
  }

  private *matches(word: string): Generator<[string, number]> {
    if (this.postings.has(word)) yield [word, 1];
    if (word.length < kLeastPrefix) return;
    let low = 0;
    let high = this.vocabulary.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.vocabulary[middle] < word) low = middle + 1;
      else high = middle;
    }
    for (; low < this.vocabulary.length && this.vocabulary[low].startsWith(word); ++low) {
      if (this.vocabulary[low] !== word) yield [this.vocabulary[low], kPrefixWeight];
    }
  }

  private score(word: string, weight: number, accepts: (item: number) => boolean, best: Map<number, number>): void {
    const { items, counts } = this.postings.get(word)!;
    const n = this.texts.length;
    const idf = Math.log(1 + (n - items.length + 0.5) / (items.length + 0.5));
    for (let i = 0; i < items.length; ++i) {
      const item = items[i];
      if (!accepts(item)) continue;
      const norm = kK1 * (1 - kB + (kB * this.lengths[item]) / this.meanLength);
      const score = (weight * idf * counts[i] * (kK1 + 1)) / (counts[i] + norm);
      if (score > (best.get(item) ?? 0)) best.set(item, score);
    }
  }
}
