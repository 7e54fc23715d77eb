import type { SchemaRecord } from "@catalyst/rpc";
import { GatewayError } from "../errors.ts";
import type { Generation } from "../generation.ts";
import type { SchemaInput, ServiceSchema } from "../service.ts";

/** A schema that was put in force. */
export type HistoryEntry = {
  /** Number of its generation. */
  readonly number: number;
  /** Wall time in ms since 1970. */
  readonly since: number;
  /** Null when nothing was served. */
  readonly schema: Pick<Generation, "sdl" | "digest"> | null;
  readonly services: readonly KeptService[];
};

/** A service's name, and the schema that it was served with. */
export type KeptService = { readonly name: string; readonly schema: ServiceSchema };

export type HistoryLimits = {
  readonly maxEntries: number;
  /** Characters of all texts together; the two newest entries are kept whatever they take. */
  readonly maxChars: number;
};

const defaultLimits: HistoryLimits = { maxEntries: 32, maxChars: 32 * 1024 * 1024 };

/**
 * The schemas that were in force last, to tell what changed. It keeps texts that there are anyway, equal ones once,
 * and nothing that is made from them.
 */
export class SchemaHistory {
  readonly #limits: HistoryLimits;
  /** The newest last. */
  #entries: readonly HistoryEntry[] = [];

  constructor(limits: Partial<HistoryLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Those that are kept, the newest first. */
  get entries(): readonly HistoryEntry[] {
    return this.#entries.toReversed();
  }

  /** Takes note of what is in force from now on. */
  add(number: number, since: number, generation: Generation | null): void {
    const known = new Map<string, string>();
    for (const { schema, services } of this.#entries) {
      if (schema !== null) known.set(schema.digest, schema.sdl);
      for (const service of services) known.set(service.schema.digest, service.schema.sdl);
    }
    const interned = <T extends { readonly sdl: string; readonly digest: string }>(one: T): T => ({
      ...one,
      sdl: known.get(one.digest) ?? one.sdl,
    });
    const keep = ({ target, schema }: SchemaInput) => ({ name: target.name, schema: interned(schema) });
    const entry: HistoryEntry = {
      number,
      since,
      schema: generation === null ? null : interned({ sdl: generation.sdl, digest: generation.digest }),
      services: generation?.services.map(keep) ?? [],
    };
    this.#entries = this.#bounded([...this.#entries, entry]);
  }

  /** The entry of a generation. Throws {@link GatewayError} `generation_unknown`. */
  get(number: number): HistoryEntry {
    const entry = this.#entries.find((each) => each.number === number);
    if (entry !== undefined) return entry;
    const [first, last] = [this.#entries[0], this.#entries.at(-1)];
    const kept = first === undefined || last === undefined ? "none" : `${first.number} to ${last.number}`;
    throw new GatewayError("generation_unknown", `generation ${number} is not kept; those kept: ${kept}`);
  }

  /** Leaves out the oldest until the rest is within the limits. */
  #bounded(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
    const { maxEntries, maxChars } = this.#limits;
    const seen = new Set<string>();
    let chars = 0;
    const count = (text: { readonly sdl: string; readonly digest: string }) => {
      if (!seen.has(text.digest)) chars += text.sdl.length;
      seen.add(text.digest);
    };
    let kept = 0;
    for (const { schema, services } of entries.toReversed()) {
      if (schema !== null) count(schema);
      for (const service of services) count(service.schema);
      if (kept >= maxEntries || (kept >= 2 && chars > maxChars)) break;
      kept += 1;
    }
    return entries.slice(entries.length - kept);
  }
}

/** An entry as it crosses the socket: without the texts. */
export function recordOf({ number, since, schema, services }: HistoryEntry): SchemaRecord {
  return {
    generation: number,
    since: new Date(since).toISOString(),
    schemaDigest: schema?.digest ?? null,
    services: services.map((service) => ({ name: service.name, schemaDigest: service.schema.digest })),
  };
}
