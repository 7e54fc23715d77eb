import { decodeAttributes, encodeAttributes, type RouteAttributes } from "./attributes.ts";

/** Attributes of routes of one origin, once in memory however many routes have them. */
export type AttributeSet = RouteAttributes & {
  /** The node that offers the service. */
  readonly origin: string;
  /** As they stand in a message. */
  readonly bytes: Uint8Array;
  /** Origin and bytes: equal for equal sets, also where one was made twice. */
  readonly id: string;
  /** What a data plane sees of it: sets that differ in the path alone have the same. */
  readonly endpoint: string;
  /** The list of this one alone: most services have one origin, and all of them share it. */
  readonly alone: readonly AttributeSet[];
};

/** Whether two sets say the same. */
export function isSameSet(a: AttributeSet, b: AttributeSet): boolean {
  return a === b || a.id === b.id;
}

/**
 * Attributes by their bytes. It is a cache in two generations, so that memory is bounded: sets that are not asked for
 * are forgotten here, and live as long as a route has them.
 */
export class AttributeCache {
  #young = new Map<string, AttributeSet>();
  #old = new Map<string, AttributeSet>();
  readonly #size: number;

  constructor(size = 8_192) {
    this.#size = size;
  }

  /** The set that a peer sent. Throws {@link PeeringError} `attributes_malformed`. */
  read(origin: string, bytes: Uint8Array): AttributeSet {
    const id = idOf(origin, bytes);
    return this.#find(id) ?? this.#keep(makeSet(id, origin, bytes.slice(), decodeAttributes(bytes)));
  }

  /** The set of attributes made here. */
  make(origin: string, attributes: RouteAttributes): AttributeSet {
    const bytes = encodeAttributes(attributes);
    const id = idOf(origin, bytes);
    return this.#find(id) ?? this.#keep(makeSet(id, origin, bytes, attributes));
  }

  #find(id: string): AttributeSet | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    return old === undefined ? undefined : this.#keep(old);
  }

  #keep(set: AttributeSet): AttributeSet {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(set.id, set);
    return set;
  }
}

function idOf(origin: string, bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return `${origin} ${text}`;
}

function makeSet(id: string, origin: string, bytes: Uint8Array, attributes: RouteAttributes): AttributeSet {
  const alone: AttributeSet[] = [];
  const { protocol, nextHop, labels, schemaDigest } = attributes;
  const digest = schemaDigest === null ? "" : Buffer.from(schemaDigest).toString("hex");
  const set: AttributeSet = {
    ...attributes,
    origin,
    bytes,
    id,
    endpoint: JSON.stringify([origin, protocol, nextHop, [...labels], digest]),
    alone,
  };
  alone.push(set);
  return set;
}
