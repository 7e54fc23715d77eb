import { create } from "@bufbuild/protobuf";
import {
  type ReplicateRequest,
  ReplicateRequestSchema,
  type ReplicateResponse,
} from "../../generated/orbit/v1/orbit_pb.js";
import { parseStarUrl } from "../connection/star-url.ts";
import type { TlsFiles } from "../connection/tls-files.ts";
import { StarError } from "../errors.ts";
import type { SourceAddress } from "../replicate/source.ts";
import { mintTransferToken } from "../transfer-token.ts";
import { openRelay } from "./relay.ts";
import { plainRelayReason, relayReason } from "./relay-reason.ts";
import { relayedFile } from "./relayed-file.ts";
import type { RelayPolicy, ReplicateOptions, Replication, StarPath } from "./replication.ts";
import type { StarAddress, StarClient } from "./star-client.ts";
import { StarConnections } from "./star-connections.ts";

export type NucleusOptions = {
  /** What transfer tokens are signed with: the same at all stars. */
  readonly authSecret: string;
  /** How `https` stars are met; default: with the authorities that Node knows, and no certificate. */
  readonly tls?: TlsFiles;
};

/** Where a destination is told to fetch a file, and by which token. */
type AskedSource = Pick<SourceAddress, "url" | "token">;

/** Has files go from star to star: it gives the order and the token, and the bytes go past it. */
export class Nucleus implements AsyncDisposable {
  readonly #authSecret: string;
  readonly #tls: TlsFiles;
  readonly #stars: StarConnections;

  /** Throws StarError `certificate_invalid`. */
  constructor({ authSecret, tls = {} }: NucleusOptions) {
    this.#authSecret = authSecret;
    this.#tls = tls;
    this.#stars = new StarConnections(tls);
  }

  /** The star at an address; one connection for each. Throws StarError `request_invalid` and `certificate_invalid`. */
  star(address: StarAddress): StarClient {
    return this.#stars.star(address);
  }

  /**
   * Replicates one file. Throws StarError: what the destination answers with its status, `star_outdated` for one that knows no
   * ReplicateFile, `content_mismatch` and `cancelled`.
   */
  async replicate(options: ReplicateOptions): Promise<Replication> {
    return await this.#verified(options, await this.#transfer(options, options.relay ?? "auto"));
  }

  /**
   * Replicates files of one star to another by one call, where the destination can; those that the stars cannot do between them, and all
   * where it cannot, one by one. `ended` is told what came of each, by its place among the orders. Throws StarError `cancelled`, and what
   * `ended` throws.
   */
  async replicateAll(
    orders: readonly ReplicateOptions[],
    ended: (at: number, outcome: Replication | StarError) => Promise<void>,
  ): Promise<void> {
    const left = new Set(orders.keys());
    const finish = async (at: number, run: () => Promise<Replication>) => {
      left.delete(at);
      const outcome = await run().catch((error: unknown) => {
        // A star may call anything cancelled, too.
        if (error instanceof StarError && orders[at]?.signal?.aborted !== true) return error;
        throw error;
      });
      await ended(at, outcome);
    };
    const finishing: Promise<void>[] = [];
    try {
      for await (const { file, outcome } of this.#batch(orders)) {
        const order = orders[file];
        // A star may say anything: of files that nobody asked for, and of one twice.
        if (order === undefined || !left.has(file)) continue;
        if (outcome instanceof StarError && mayBeHelped(order, outcome)) continue;
        const finished = finish(file, async () => {
          if (outcome instanceof StarError) throw outcome;
          return await this.#verified(order, { ...replicationOf(order, outcome), relayed: 0 });
        });
        finished.catch(() => undefined); // It is awaited below.
        finishing.push(finished);
      }
    } finally {
      await Promise.allSettled(finishing);
    }
    await Promise.all(finishing);
    for (const at of left) await finish(at, () => this.replicate(orders[at] as ReplicateOptions));
  }

  /** What came of the orders in one call; of those that it does not tell, nothing did. */
  async *#batch(orders: readonly ReplicateOptions[]): ReturnType<StarClient["replicateAll"]> {
    const [first] = orders;
    const isPlain = orders.every(({ relay, sources = [] }) => relay !== "always" && sources.length === 0);
    if (first === undefined || orders.length === 1 || !isPlain) return;
    const star = this.star(first.to.star);
    try {
      if (!(await star.capabilities()).includes("batches")) return;
      const requests = orders.map((order) => requestOf(order, this.#sourceAt(order.from), []));
      yield* star.replicateAll(requests, first.signal);
    } catch (error) {
      if (first.signal?.aborted || !(error instanceof StarError)) throw error;
    }
  }

  async #verified(options: ReplicateOptions, done: Replication): Promise<Replication> {
    const { from, to, verify = false, signal } = options;
    if (!verify) return done;
    const [source, target] = await Promise.all([
      this.star(from.star).digest(from.path, signal),
      this.star(to.star).digest(to.path, signal),
    ]);
    if (Buffer.compare(source, target) === 0) return done;
    throw new StarError(
      "content_mismatch",
      `${to.path} differs from ${from.path}: the source changed meanwhile?`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stars[Symbol.asyncDispose]();
  }

  async #transfer(options: ReplicateOptions, relay: RelayPolicy): Promise<Replication> {
    if (relay === "always") return await this.#relayed(options, "it was asked to");
    try {
      return { ...replicationOf(options, await this.#direct(options)), relayed: 0 };
    } catch (error) {
      if (relay === "never" || !(error instanceof StarError)) throw error;
      const { from, to } = options;
      const why = await relayReason(error, {
        destination: this.star(to.star),
        source: this.#sourceAt(from),
        sources: this.#stars.sourcesOf(from.star),
      });
      if (why === null) throw error;
      return await this.#relayed(options, why);
    }
  }

  async #direct(options: ReplicateOptions): Promise<ReplicateResponse> {
    const { from, sources = [], expectedChecksum } = options;
    // The destination finds out by the SHA-256 who has another file.
    const areBound = sources.length === 0 || expectedChecksum !== undefined;
    const others = areBound ? sources : await this.#sameAs(options);
    return await this.#command(
      options,
      this.#sourceAt(from),
      others.map((other) => this.#sourceAt(other)),
    );
  }

  #sourceAt({ star, path }: StarPath): SourceAddress {
    return { url: star.url, path, token: mintTransferToken(this.#authSecret, path) };
  }

  async #command(
    options: ReplicateOptions,
    source: AskedSource,
    others: readonly SourceAddress[] = [],
  ): Promise<ReplicateResponse> {
    const { to, signal, onProgress } = options;
    return await this.star(to.star).replicate(requestOf(options, source, others), signal, onProgress);
  }

  /** Those of the other sources whose file is the same one: a digest costs them a look at it, and mixing others costs all. */
  async #sameAs({ from, sources = [], signal }: ReplicateOptions): Promise<readonly StarPath[]> {
    const digest = ({ star, path }: StarPath) => this.star(star).digest(path, signal);
    const ours = await digest(from);
    const theirs = await Promise.all(sources.map((other) => digest(other).catch(() => null)));
    const different = sources.filter((_, at) => theirs[at] != null && Buffer.compare(theirs[at], ours) !== 0);
    if (different.length > 0) {
      const names = different.map(({ star, path }) => `${star.url} ${path}`).join(", ");
      throw new StarError("content_mismatch", `not the same file as ${from.path}: ${names}`);
    }
    return sources.filter((_, at) => theirs[at] != null);
  }

  async #relayed(options: ReplicateOptions, why: string): Promise<Replication> {
    const { from, to, onRelay } = options;
    const isSecure = [from, to].some(({ star }) => parseStarUrl(star.url).isSecure);
    const { certificateFile, privateKeyFile } = this.#tls;
    if (isSecure && certificateFile === undefined) {
      const words = `${why}, and what goes over TLS between stars is not carried in plain text: give the Nucleus a certificate for its address`;
      throw new StarError("certificate_invalid", words);
    }
    onRelay?.(why);
    const shown = isSecure ? { certificateFile, privateKeyFile } : undefined;
    const sources = this.#stars.sourcesOf(from.star);
    const file = relayedFile(this.star(from.star), sources, this.#sourceAt(from));
    await using relay = await openRelay(from.path, to.star.url, file, shown);
    const answer = await this.#command(options, relay).catch((error: unknown) => {
      // The destination knows the relay alone, by a port that is gone in a moment.
      throw relay.unreached ?? error;
    });
    return { ...replicationOf(options, answer), relayed: relay.bytes };
  }
}

function requestOf(
  options: ReplicateOptions,
  source: AskedSource,
  others: readonly SourceAddress[],
): ReplicateRequest {
  const { from, to, expectedSize = 0, expectedChecksum, resume = false, mode, modifiedAt } = options;
  return create(ReplicateRequestSchema, {
    sourceStarUrl: withScheme(source.url),
    transferToken: source.token,
    sources: others.map(({ url, path, token }) => ({ url, path, token })),
    remotePath: from.path,
    localPath: to.path,
    expectedSize: BigInt(expectedSize),
    expectedChecksum: expectedChecksum ?? new Uint8Array(),
    resume,
    ...(mode === undefined ? {} : { mode }),
    ...(modifiedAt === undefined ? {} : { modifiedAtTs: BigInt(modifiedAt) }),
  });
}

/** The first stars know no URL without one. */
function withScheme(url: string): string {
  return /^https?:\/\//i.test(url) ? url : `http://${url}`;
}

/** Whether what a destination could not do may be done by going on alone: by a relay. */
function mayBeHelped({ relay = "auto" }: ReplicateOptions, { code }: StarError): boolean {
  return relay === "auto" && plainRelayReason(code) !== null;
}

/** Throws StarError `content_mismatch`: destinations of the first kind take no notice of what is expected. */
function replicationOf(
  { to, expectedSize = 0, expectedChecksum }: ReplicateOptions,
  { bytesTransferred, bytesResumed, checksum }: ReplicateResponse,
): Omit<Replication, "relayed"> {
  const bytes = Number(bytesTransferred);
  const wanted = expectedChecksum === undefined ? "" : Buffer.from(expectedChecksum).toString("hex");
  const words = `${to.star.url}: what stands at ${to.path} has`;
  if (expectedSize > 0 && bytes !== expectedSize)
    throw new StarError("content_mismatch", `${words} ${bytes} bytes, and ${expectedSize} are expected`);
  if (wanted !== "" && checksum !== wanted)
    throw new StarError("content_mismatch", `${words} SHA-256 ${checksum}, and ${wanted} is expected`);
  return { bytes, resumed: Number(bytesResumed), checksum };
}
