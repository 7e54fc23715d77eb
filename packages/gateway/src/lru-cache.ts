type Entry<V> = { readonly value: V; readonly bytes: number };

export type LruLimits = {
  /** Memory for all entries together. */
  readonly maxBytes: number;
  /** What a larger entry is not kept for; as much as all when left out. */
  readonly maxEntryBytes?: number;
};

/** Keeps the values that were used last, as many as fit into memory by the sizes that are said of them. */
export class LruCache<K, V> {
  readonly #maxBytes: number;
  readonly #maxEntryBytes: number;
  /** The one used last at the end. */
  readonly #entries = new Map<K, Entry<V>>();
  #bytes = 0;

  constructor({ maxBytes, maxEntryBytes = maxBytes }: LruLimits) {
    this.#maxBytes = maxBytes;
    this.#maxEntryBytes = maxEntryBytes;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** Keeps a value in place of the one before, and drops others to make room; one that is too large is not kept. */
  set(key: K, value: V, bytes: number): void {
    this.delete(key);
    if (bytes > this.#maxEntryBytes) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: K): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
