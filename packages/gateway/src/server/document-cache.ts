import type { DocumentNode } from "graphql";

/** Measured: a token of a parsed document, with its share of the tree and of what validation found. */
const bytesPerToken = 400;
/** What a document costs besides its tokens. */
const bytesPerDocument = 1_024;

type Entry<T> = { readonly value: T; readonly bytes: number };

/**
 * Parsed documents by their source, with what is known of them, those used last. Bounded by the memory that they
 * take: many times that of their sources, and what a client writes decides how many times. No document takes more
 * than a sixteenth.
 */
export class DocumentCache<T extends { readonly document: DocumentNode }> {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Entry<T>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Estimate of the memory taken. */
  get bytes(): number {
    return this.#bytes;
  }

  get(source: string): T | undefined {
    const entry = this.#entries.get(source);
    if (entry === undefined) return undefined;
    this.#entries.delete(source);
    this.#entries.set(source, entry);
    return entry.value;
  }

  set(source: string, value: T): void {
    this.#remove(source);
    const bytes = bytesPerDocument + 2 * source.length + bytesPerToken * countTokens(value.document);
    if (bytes > this.#maxBytes / 16) return;
    this.#entries.set(source, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(source: string): void {
    this.#bytes -= this.#entries.get(source)?.bytes ?? 0;
    this.#entries.delete(source);
  }
}

/** All tokens, comments included: a document keeps them for the places of its errors. */
function countTokens({ loc }: DocumentNode): number {
  let count = 0;
  for (let token = loc?.startToken ?? null; token !== null; token = token.next) count += 1;
  return count;
}
