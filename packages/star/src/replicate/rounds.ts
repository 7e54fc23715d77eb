import type { ReplicateRequest } from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import type { Replicated } from "../server/replicating.ts";
import { type Expected, Fetch, type Fetched, type FetchParts } from "./fetch.ts";
import type { RangeSet } from "./ranges.ts";
import { type SourceAddress, tellingOf } from "./source.ts";

/** How often a source whose file changes meanwhile is begun again from its start. */
const mostRestarts = 3;

/** What is to come, and from where. */
export type Wanted = {
  readonly request: ReplicateRequest;
  readonly expected: Expected;
  readonly sources: readonly SourceAddress[];
  readonly signal: AbortSignal;
};

/** Tries all sources at once, and then those that could not be mixed one after the other, each from the start. */
export class Rounds {
  readonly #parts: FetchParts;
  readonly #wanted: Wanted;
  readonly #failures: StarError[] = [];

  constructor(parts: FetchParts, wanted: Wanted) {
    this.#parts = parts;
    this.#wanted = wanted;
  }

  /**
   * Resolves when all bytes are in the part and are what was expected. Throws StarError `cancelled`, what the part throws, and, when all
   * sources are out, the failure that says most.
   */
  async run(): Promise<Replicated> {
    const { request, sources, expected } = this.#wanted;
    const { part } = this.#parts;
    const fits = ({ identity, size }: { identity: string; size: number }) =>
      size === (expected.size ?? size) && (expected.checksum === null) === identity.startsWith("validator ");
    const have = request.resume ? await part.recover(fits) : [];
    const fetched = await this.#fetch(sources, have);
    const whole = await this.#check(fetched);
    if (whole !== null) return whole;
    const isMixed = fetched.size !== null && !fetched.isOfOne;
    for (const source of isMixed ? sources : fetched.apart) {
      const alone = await this.#alone(source);
      if (alone !== null) return alone;
    }
    throw (
      tellingOf(this.#failures) ??
      new StarError("file_changed", `${request.remotePath} changes while it is read`)
    );
  }

  async #alone(source: SourceAddress): Promise<Replicated | null> {
    for (let restarts = 0; restarts < mostRestarts; restarts++) {
      await this.#parts.part.discard();
      const fetched = await this.#fetch([source], []);
      const whole = await this.#check(fetched);
      if (whole !== null || fetched.apart.length === 0) return whole;
    }
    this.#failures.push(
      new StarError("file_changed", `${source.url} ${source.path} changes while it is read`),
    );
    return null;
  }

  async #fetch(sources: readonly SourceAddress[], have: RangeSet): Promise<Fetched> {
    const fetched = await new Fetch(this.#parts, sources, this.#wanted.expected, have).run(
      this.#wanted.signal,
    );
    this.#failures.push(...fetched.failures);
    return fetched;
  }

  /** Null where not all is here, or it is not what was expected. */
  async #check({ size, resumed, isOfOne }: Fetched): Promise<Replicated | null> {
    if (size === null) return null;
    const { expected, request } = this.#wanted;
    const checksum = await this.#parts.part.checksum(size);
    const isSize = size === (expected.size ?? size);
    if (isSize && checksum === (expected.checksum ?? checksum)) return { bytes: size, resumed, checksum };
    const what = isSize
      ? `SHA-256 ${checksum}, and ${expected.checksum} is expected`
      : `${size} bytes, and ${expected.size} are expected`;
    if (isOfOne) this.#failures.push(new StarError("content_mismatch", `${request.remotePath} has ${what}`));
    return null;
  }
}
