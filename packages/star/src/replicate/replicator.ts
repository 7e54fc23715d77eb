import { setTimeout as delay } from "node:timers/promises";
import type { ReplicateRequest } from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import type { Jail } from "../jail/jail.ts";
import type { ReportProgress } from "../server/progress-watch.ts";
import type { FetchesFiles, Replicated } from "../server/replicating.ts";
import { BatchSources } from "./batch-sources.ts";
import { Digester } from "./digester.ts";
import type { Expected, FetchParts } from "./fetch.ts";
import { FolderSync } from "./folder-sync.ts";
import { Part, type PartPlace } from "./part.ts";
import { Rounds, type Wanted } from "./rounds.ts";
import type { SourceAddress, SourceProvider } from "./source.ts";
import { StarSources } from "./star-sources.ts";
import { type FileTraits, realDisk, type TargetDisk, targetError } from "./target-disk.ts";

type Places = Pick<Jail, "holdPlace">;

export type ReplicatorParts = {
  readonly jail: Places & { visit(): Places & Disposable };
  /** Default: this machine's. */
  readonly disk?: TargetDisk;
  /** Default: gRPC in plain text, and TLS with the authorities that Node knows. */
  readonly sources?: SourceProvider;
  /** Default: one for the whole process. */
  readonly digester?: Digester;
  readonly options?: ReplicatorOptions;
};

export type ReplicatorOptions = {
  /** How many replications run at once; default 1,000. */
  readonly most?: number;
  /** How long a source may send nothing, in ms; default 20 s. */
  readonly silentMs?: number;
  /** How long an idle source waits until it takes over the last of what another is slow with, in ms; default 1 s. */
  readonly lateMs?: number;
  /** Bytes that one of several sources is asked for at once; default 8 MiB. */
  readonly pieceBytes?: number;
  /** 0 ≤ n < 1. */
  readonly random?: () => number;
  readonly sleep?: FetchParts["sleep"];
};

/** Files up to this size are not asked room for: that they find none shows soon enough. In bytes. */
const unreserved = 1024 * 1024;

let ofProcess: Digester | undefined;

/** Fetches files from other stars: what stands under the final name is whole, or what stood there before. */
export class Replicator implements AsyncDisposable, FetchesFiles {
  readonly #jail: ReplicatorParts["jail"];
  readonly #disk: TargetDisk;
  readonly #sources: SourceProvider;
  readonly #digester: Digester;
  readonly #options: ReplicatorOptions;
  readonly #folders = new FolderSync();
  /** Where files are on their way to. */
  readonly #targets = new Set<string>();

  constructor({ jail, disk, sources, digester, options = {} }: ReplicatorParts) {
    ofProcess ??= new Digester();
    this.#jail = jail;
    this.#disk = disk ?? realDisk();
    this.#sources = sources ?? new StarSources();
    this.#digester = digester ?? ofProcess;
    this.#options = options;
  }

  /**
   * Fetches one file; resolves when it stands under its name and survives a power cut. Without `resume` what an earlier attempt
   * left is not used. When it fails or the signal ends it, what came stays beside the name for a later call with `resume`
   * where something binds it, else nothing stays.
   *
   * Throws StarError `path_*`, `access_denied`, `disk_*`, `source_*`, `content_mismatch`, `file_changed`, `busy`,
   * `request_invalid` and `cancelled`. When all sources are out, its status is the one with which a source refused.
   */
  async replicate(request: ReplicateRequest, signal: AbortSignal): Promise<Replicated> {
    return await this.#replicate(request, signal, {
      ...{ places: this.#jail, provider: this.#sources, report: untold },
    });
  }

  batch(requests: readonly ReplicateRequest[]): ReturnType<FetchesFiles["batch"]> {
    const plain = requests.filter(({ sources }) => sources.length === 0);
    using made = new DisposableStack();
    const sources = made.use(new BatchSources(this.#sources, plain.flatMap(sourcesOf)));
    const places = made.use(this.#jail.visit());
    const replicate = async (file: number, signal: AbortSignal, report = untold) => {
      const request = requests[file] as ReplicateRequest;
      try {
        return await this.#replicate(request, signal, { places, provider: sources, report });
      } finally {
        for (const source of sourcesOf(request)) sources.drop(source);
      }
    };
    const all = made.move();
    return { replicate, [Symbol.dispose]: () => all.dispose() };
  }

  async #replicate(request: ReplicateRequest, signal: AbortSignal, around: Around): Promise<Replicated> {
    const expected = expectedOf(request);
    const sources = sourcesOf(request);
    const { localPath } = request;
    using held = around.places.holdPlace(localPath);
    try {
      const { folder, name, key } = held;
      const place = { folder, name, key };
      using _ = this.#claim(place, localPath);
      const standing = await this.#disk.files.stat(`${place.folder}/${place.name}`);
      if (standing?.kind === "folder")
        throw new StarError("path_in_use", `${localPath}: a folder has this name`);
      return await this.#transfer(place, { request, expected, sources, signal }, around);
    } catch (error) {
      throw targetError(localPath, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sources[Symbol.asyncDispose]();
  }

  #claim({ key, name }: PartPlace, path: string): Disposable {
    const { most = 1_000 } = this.#options;
    const target = `${key}/${name}`;
    if (this.#targets.has(target))
      throw new StarError("path_in_use", `${path}: another replication writes this file`);
    if (this.#targets.size >= most) throw new StarError("busy", `${most} replications run here already`);
    this.#targets.add(target);
    return { [Symbol.dispose]: () => this.#targets.delete(target) };
  }

  async #transfer(place: PartPlace, wanted: Wanted, around: Around): Promise<Replicated> {
    const { request, signal } = wanted;
    const part = new Part(
      {
        disk: this.#disk,
        digester: this.#digester,
        syncFolder: ({ key, folder }) => this.#folders.sync(key, () => this.#disk.files.syncFolder(folder)),
      },
      place,
      traitsOf(request),
    );
    const parts = this.#fetchParts(part, place.folder, request.localPath, around);
    try {
      const whole = await new Rounds(parts, wanted).run();
      if (signal.aborted) throw new StarError("cancelled", "the caller gave up");
      await part.install();
      return whole;
    } catch (error) {
      // The first failure is the one to tell.
      const isUseless =
        error instanceof StarError && ["content_mismatch", "file_changed"].includes(error.code);
      await (isUseless ? part.discard() : part.leave()).catch(() => undefined);
      throw error;
    }
  }

  #fetchParts(part: Part, folder: string, path: string, around: Around): FetchParts {
    const {
      silentMs = 20_000,
      lateMs = 1_000,
      pieceBytes = 8 * 1024 * 1024,
      random = Math.random,
      sleep = sleepUntilAborted,
    } = this.#options;
    const reserve = async (bytes: number) => {
      if (bytes <= unreserved) return;
      const free = await this.#disk.freeBytes(folder);
      if (free < bytes)
        throw new StarError("disk_full", `${path}: ${bytes} bytes more are to come, and ${free} are free`);
    };
    const { provider, report } = around;
    return { provider, report, part, pieceBytes, reserve, sleep, random, silentMs, lateMs };
  }
}

const untold: ReportProgress = () => undefined;

/** Where the bytes of a file come from and go to, and who is told of them. */
type Around = Pick<FetchParts, "provider" | "report"> & { readonly places: Places };

function expectedOf({ expectedSize, expectedChecksum }: ReplicateRequest): Expected {
  if (expectedSize > BigInt(Number.MAX_SAFE_INTEGER))
    throw new StarError("request_invalid", "expected_size: no file has so many bytes");
  if (expectedChecksum.length !== 0 && expectedChecksum.length !== 32) {
    throw new StarError("request_invalid", "expected_checksum: SHA-256 has 32 bytes");
  }
  return {
    size: expectedSize === 0n ? null : Number(expectedSize),
    checksum: expectedChecksum.length === 0 ? null : Buffer.from(expectedChecksum).toString("hex"),
  };
}

const mostSources = 64;

function sourcesOf({
  sourceStarUrl,
  remotePath,
  transferToken,
  sources,
}: ReplicateRequest): readonly SourceAddress[] {
  if (sources.length >= mostSources)
    throw new StarError("request_invalid", `sources: at most ${mostSources} are used`);
  return [{ url: sourceStarUrl, path: remotePath, token: transferToken }, ...sources];
}

function traitsOf({ mode, modifiedAtTs }: ReplicateRequest): FileTraits {
  return { mode, modifiedAt: modifiedAtTs === undefined ? undefined : Number(modifiedAtTs) };
}

async function sleepUntilAborted(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
