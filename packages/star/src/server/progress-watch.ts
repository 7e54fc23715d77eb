/** Is told how many bytes of a file are here, and its size: infinite until it is known. */
export type ReportProgress = (bytes: number, size: number) => void;

/** How often it is looked whether there is something to tell, in ms. */
const everyMs = 500;
/** So many times a file whose size is known is told of at most: what a Nucleus hears of it is bounded for files of any size. */
const mostTimes = 20_000;

/** A file on its way; `size` is infinite until it is known. */
type State = { bytes: number; size: number };
type Watched = { readonly file: number; readonly now: State; told: State };

/** A message on the way to who commands; bytes as in `orbit.proto`. */
export type ProgressMessage = {
  readonly file: number;
  readonly progress: { readonly bytes: bigint; readonly totalSize: bigint };
};

/** Tells now and then how far the files of a call are. */
export class ProgressWatch implements Disposable {
  readonly #tell: ((message: ProgressMessage) => Promise<void>) | null;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #watched = new Set<Watched>();
  #isTelling = false;

  /** `tell`: null where nobody wants to hear it. */
  constructor(tell: ((message: ProgressMessage) => Promise<void>) | null) {
    this.#tell = tell;
    if (tell !== null) this.#timer = setInterval(() => void this.#look(), everyMs);
  }

  /** A file whose progress is noted until it is disposed of. */
  begin(file: number): Disposable & { readonly note: ReportProgress } {
    const watched = { file, now: { bytes: 0, size: Number.POSITIVE_INFINITY }, told: { bytes: 0, size: 0 } };
    this.#watched.add(watched);
    const note = (bytes: number, size: number) => {
      watched.now.bytes = bytes;
      watched.now.size = size;
    };
    return { note, [Symbol.dispose]: () => this.#watched.delete(watched) };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Who does not listen is not told more and more. */
  async #look(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (const watched of [...this.#watched]) {
      const { file, now, told } = watched;
      if (!isWorthTelling(told, now) || !this.#watched.has(watched)) continue;
      watched.told = { ...now };
      const totalSize = Number.isFinite(now.size) ? BigInt(now.size) : 0n;
      // Who is gone is no longer told; the call ends for that reason.
      await this.#tell?.({ file, progress: { bytes: BigInt(now.bytes), totalSize } }).catch(() => undefined);
    }
    this.#isTelling = false;
  }
}

/**
 * Whether something changed so much that it is told: a part of the size, where that is known, and a part of what there is where it is
 * not. A file that is begun anew has fewer bytes than before.
 */
export function isWorthTelling(told: Readonly<State>, { bytes, size }: Readonly<State>): boolean {
  if (bytes < told.bytes) return true;
  const step = Number.isFinite(size) ? size / mostTimes : told.bytes / 1_000;
  return bytes - told.bytes > 0 && bytes - told.bytes >= step;
}
