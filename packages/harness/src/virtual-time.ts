/**
 * Time that passes only when told to: what is due happens in the order of its time, and of its planning where that is
 * equal. Between two events all promises run on, so that code that awaits can be tested too.
 *
 * @example
 * const time = new VirtualTime();
 * time.after(1_000, () => done.push(time.now()));
 * await time.advance(5_000);
 */
export class VirtualTime {
  readonly due = new DueQueue();
  readonly startedAt: number;
  at = 0;
  planned = 0;

  /** `startedAt` is the wall time of the beginning, in ms since 1970. */
  constructor(startedAt = 1_800_000_000_000) {
    this.startedAt = startedAt;
  }

  /** Monotonic, in ms; it begins at 0. */
  now(): number {
    return this.at;
  }

  /** Whole ms since 1970. */
  wall(): number {
    return this.startedAt + Math.floor(this.at);
  }

  /** Calls once, `delayMs` from now; the function that is returned prevents it. */
  after(delayMs: number, call: () => void): () => void {
    return this.plan(this.at + Math.max(0, delayMs), call);
  }

  /** Calls once, when it is `at`. */
  plan(at: number, call: () => void): () => void {
    const event: Due = { at, order: this.planned++, call };
    this.due.push(event);
    return () => {
      event.call = null;
    };
  }

  /** This time, for one host whose wall clock is wrong by so many ms. */
  withSkew(skewMs: number): Pick<VirtualTime, "now" | "wall" | "after"> {
    return {
      now: () => this.now(),
      wall: () => this.wall() + skewMs,
      after: (delayMs, call) => this.after(delayMs, call),
    };
  }

  /** What is planned and not yet called or prevented. */
  get pending(): number {
    return this.due.items.filter(({ call }) => call !== null).length;
  }

  /** Lets so much time pass, and everything happen that is due in it. */
  async advance(ms: number): Promise<void> {
    const until = this.at + ms;
    await settle();
    for (let next = this.due.peek(); next !== undefined && next.at <= until; next = this.due.peek()) {
      this.due.shift();
      if (next.call === null) continue;
      this.at = next.at;
      next.call();
      await settle();
    }
    this.at = until;
  }

  /** Lets time pass until the condition holds; rejects when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const limit = this.at + limitMs;
    await settle();
    while (!condition()) {
      const next = this.due.peek();
      if (next === undefined || next.at > limit) {
        throw new Error(`not within ${limitMs} ms of virtual time: ${condition}`);
      }
      await this.advance(next.at - this.at);
    }
  }
}

/** Something that is due; `call` is null when it was prevented. */
type Due = { readonly at: number; readonly order: number; call: (() => void) | null };

/** Lets promises run until none has anything to do. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A binary heap: the earliest on top. */
class DueQueue {
  readonly items: Due[] = [];

  peek(): Due | undefined {
    return this.items[0];
  }

  push(item: Due): void {
    const { items } = this;
    let at = items.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(item, items[above])) break;
      items[at] = items[above] as Due;
      at = above;
    }
    items[at] = item;
  }

  shift(): void {
    const { items } = this;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const below = isBefore(items[left + 1], items[left]) ? left + 1 : left;
      if (!isBefore(items[below], last)) break;
      items[at] = items[below] as Due;
      at = below;
    }
    items[at] = last;
  }
}

function isBefore(a: Due | undefined, b: Due | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}
