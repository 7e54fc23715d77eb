import { createHash } from "node:crypto";
import { type Cid, defaultLeafSize, type LeafSize } from "@catalyst/wire";
import { chunksOf } from "../chunk/chunks.ts";
import { type ChunkMean, defaultChunkMean } from "../chunk/parameters.ts";
import type { ByteSource, PutOutcome, QuotaExceeded, Store } from "../store.ts";
import { encodeManifest, type ManifestPart, maxParts } from "./manifest.ts";

/** Chunks that are on their way to the disk at once, and share its syncs. */
const chunksAtOnce = 16;

export type ImportOptions = {
  /** Whose quota chunks and manifests count against, each once. */
  readonly namespace: string;
  /** Of the chunks; default 65,536. */
  readonly leafSize?: LeafSize;
  /** Mean length of chunks in bytes; default 131,072. Files share chunks only with those of the same mean. */
  readonly mean?: ChunkMean;
};

export type ImportOutcome =
  | {
      readonly kind: "stored";
      /** Of the manifest. */
      readonly cid: Cid;
      readonly sizeBytes: number;
      readonly sha256: Uint8Array;
      readonly chunks: number;
      /** Chunks that were not here before, and their bytes. */
      readonly newChunks: number;
      readonly newBytes: number;
    }
  | QuotaExceeded
  /** A chunk was collected before something referred to it: import again, or with a longer grace. */
  | { readonly kind: "reference_missing"; readonly cid: Cid };

/**
 * Stores a file in chunks that are cut by content, each once, and a manifest of them, in constant memory. The manifest
 * keeps its chunks; link or pin it to keep the file. Resolves when all of it survives a power cut. What an import that
 * did not end well has stored is left to the collector, and not stored again by the next one. Throws what the source
 * and {@link Store.put} throw.
 *
 * @example
 * const imported = await importChunked(store, createReadStream(path), { namespace: "acme" });
 */
export async function importChunked(
  store: Store,
  source: ByteSource,
  options: ImportOptions,
): Promise<ImportOutcome> {
  const writer = new FileWriter(store, options);
  try {
    for await (const chunk of chunksOf(source, options.mean ?? defaultChunkMean)) await writer.add(chunk);
    return await writer.finish();
  } catch (error) {
    if (error instanceof Refusal) return error.outcome;
    throw error;
  } finally {
    await writer.settle();
  }
}

type Refused = Exclude<ImportOutcome, { kind: "stored" }>;

/** Ends an import early; never seen outside. */
class Refusal extends Error {
  readonly outcome: Refused;

  constructor(outcome: Refused) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

/** Puts chunks, several at once, and manifests as soon as all that they list is there. */
class FileWriter {
  readonly #store: Store;
  readonly #options: ImportOptions;
  readonly #flat = createHash("sha256");
  /** Chunks that are being put, in their order. */
  readonly #putting: Promise<ManifestPart>[] = [];
  /** By level the parts that no manifest lists yet, of which the lowest are chunks. */
  readonly #levels: ManifestPart[][] = [[]];
  #chunks = 0;
  #newChunks = 0;
  #newBytes = 0;

  constructor(store: Store, options: ImportOptions) {
    this.#store = store;
    this.#options = options;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#flat.update(chunk);
    this.#chunks += 1;
    const putting = this.#putChunk(chunk);
    putting.catch(() => {}); // told when its turn comes
    this.#putting.push(putting);
    if (this.#putting.length >= chunksAtOnce) await this.#listNext();
  }

  async finish(): Promise<ImportOutcome> {
    while (this.#putting.length > 0) await this.#listNext();
    for (let level = 0; level < this.#levels.length - 1; level++) await this.#putLevel(level);
    const parts = this.#levels.at(-1) ?? [];
    const sha256 = this.#flat.digest();
    const { cid, size } = await this.#putManifest(this.#levels.length - 1, parts, sha256);
    return {
      kind: "stored",
      cid,
      sizeBytes: size,
      sha256,
      chunks: this.#chunks,
      newChunks: this.#newChunks,
      newBytes: this.#newBytes,
    };
  }

  /** Waits until nothing is being put any more. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#putting);
  }

  async #putChunk(chunk: Uint8Array): Promise<ManifestPart> {
    const { namespace, leafSize = defaultLeafSize } = this.#options;
    const put = await this.#store.put([chunk], { namespace, leafSize, standsFor: "part" });
    const { cid, isNew } = stored(put);
    if (isNew) {
      this.#newChunks += 1;
      this.#newBytes += chunk.length;
    }
    return { cid, size: chunk.length };
  }

  async #listNext(): Promise<void> {
    const next = await this.#putting.shift();
    if (next !== undefined) await this.#list(0, next);
  }

  /** A level that is full is put when one more part comes: the topmost one stays open for the file's own manifest. */
  async #list(level: number, part: ManifestPart): Promise<void> {
    if (this.#levels[level]?.length === maxParts) await this.#putLevel(level);
    const parts = this.#levels[level];
    if (parts === undefined) this.#levels.push([part]);
    else parts.push(part);
  }

  async #putLevel(level: number): Promise<void> {
    const parts = this.#levels[level] ?? [];
    this.#levels[level] = [];
    await this.#list(level + 1, await this.#putManifest(level, parts, null));
  }

  async #putManifest(
    level: number,
    parts: readonly ManifestPart[],
    sha256: Uint8Array | null,
  ): Promise<ManifestPart> {
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    const put = await this.#store.put([encodeManifest({ level, size, parts, sha256 })], {
      namespace: this.#options.namespace,
      leafSize: defaultLeafSize,
      content: "cbor",
      references: parts.map(({ cid }) => cid),
      standsFor: sha256 === null ? "part" : { sizeBytes: size, sha256 },
    });
    return { cid: stored(put).cid, size };
  }
}

function stored(outcome: PutOutcome): Extract<PutOutcome, { kind: "stored" }> {
  if (outcome.kind === "stored") return outcome;
  if (outcome.kind === "other_content") throw new Error("unreachable: nothing was expected of the bytes");
  throw new Refusal(outcome);
}
