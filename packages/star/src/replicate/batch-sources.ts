import { StarError } from "../errors.ts";
import type { AskedRange, SourceAddress, SourceOpener, SourceProvider, SourceStream } from "./source.ts";

/**
 * The sources of many files that are replicated one after the other: those of one star come in one stream, in their order. Who opens a
 * file a second time, or a part of it, has it from the provider itself.
 */
export class BatchSources implements SourceOpener, Disposable {
  readonly #provider: SourceProvider;
  readonly #opened = new Map<string, SourceStream>();

  constructor(provider: SourceProvider, sources: readonly SourceAddress[]) {
    this.#provider = provider;
    // One that is wanted twice is in the stream once: nobody would read the other.
    const different = new Map(sources.map((source) => [keyOf(source), source])).values();
    for (const [url, files] of Map.groupBy(different, (source) => source.url)) {
      if (files.length === 1) continue;
      const streams = this.#openAll(url, files);
      for (const [at, stream] of streams.entries())
        this.#opened.set(keyOf(files[at] as SourceAddress), stream);
    }
  }

  open(source: SourceAddress, range: AskedRange): SourceStream {
    const key = keyOf(source);
    const opened = this.#opened.get(key);
    if (opened !== undefined && range.offset === 0 && range.length === 0) {
      this.#opened.delete(key);
      return opened;
    }
    this.drop(source);
    return this.#provider.open(source, range);
  }

  /** Nobody opens this file any more: it is not to hold up those behind it. */
  drop(source: SourceAddress): void {
    const key = keyOf(source);
    this.#opened.get(key)?.cancel();
    this.#opened.delete(key);
  }

  /** Ends the streams of files that nobody opened. */
  [Symbol.dispose](): void {
    for (const stream of this.#opened.values()) stream.cancel();
    this.#opened.clear();
  }

  /** Nothing where the address is none: who opens one of the files hears why. */
  #openAll(url: string, files: readonly SourceAddress[]): readonly SourceStream[] {
    try {
      return this.#provider.openAll?.(url, files) ?? [];
    } catch (error) {
      if (error instanceof StarError) return [];
      throw error;
    }
  }
}

function keyOf({ url, path, token }: SourceAddress): string {
  return JSON.stringify([url, path, token]);
}
