import type { Api } from '../api/api';
import { shortText } from '../ui/format';
import type { ItemNames } from './overlay';

const kMostItems = 120; // of a topic that have names: more would not find room
const kMostChars = 30;

// Short names of a topic's items, fetched when one has come near.
export class ItemNamer {
  private readonly known = new Map<number | null, Promise<ItemNames>>([[null, Promise.resolve(new Map())]]);
  private wanted: number | null = null;

  constructor(private readonly api: () => Api) {}

  // Null if another topic was asked for meanwhile, or the server does not answer.
  async of(node: number | null): Promise<ItemNames | null> {
    this.wanted = node;
    let names = this.known.get(node);
    if (!names) this.known.set(node, (names = this.fetchNames(node!)));
    try {
      const found = await names;
      return this.wanted === node ? found : null;
    } catch {
      this.known.delete(node); // names are a help, not a page: no error is shown
      return null;
    }
  }

  private async fetchNames(node: number): Promise<ItemNames> {
    const { items } = await this.api().topicItems(node, 0, kMostItems);
    return new Map(items.map(({ item, id, text }) => [item, shortText(text || id, kMostChars)]));
  }
}
