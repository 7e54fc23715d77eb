/** What is to be looked at when its time comes: a binary heap. Nothing is taken out early; who looks asks again. */
export class Deadlines<Item> {
  readonly #heap: { readonly at: number; readonly item: Item }[] = [];

  /** The next time; null when there is none. */
  get next(): number | null {
    return this.#heap[0]?.at ?? null;
  }

  add(at: number, item: Item): void {
    const heap = this.#heap;
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= at) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = { at, item };
  }

  /** Takes the first item whose time has come; null when there is none. */
  takeDue(now: number): Item | null {
    const heap = this.#heap;
    const [top] = heap;
    if (top === undefined || top.at > now) return null;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) this.#sink(last);
    return top.item;
  }

  #sink(entry: { readonly at: number; readonly item: Item }): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      const smaller = right !== undefined && right.at < left.at ? right : left;
      if (smaller === right) child += 1;
      if (smaller.at >= entry.at) break;
      heap[place] = smaller;
      place = child;
    }
    heap[place] = entry;
  }
}
