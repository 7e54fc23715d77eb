import { type CborInput, type CborKey, type CborValue, encodeCbor, isName } from "@catalyst/wire";
import { isText, malformed } from "./cbor.ts";

/** What a message may take, spec/peering.md §2. */
export const messageLimits = { maxBytes: 65_024, maxDepth: 5, maxItems: 8_192 } as const;

/** Services of one origin: how routes are named. */
export type OriginNames = { readonly origin: string; readonly services: readonly string[] };

/** A name takes up to so many bytes more than its characters. */
export const headBytes = 3;
/** What a writer fills with names: the rest is left for everything else in a message. */
export const roomBytes = messageLimits.maxBytes - 512;
/** A list has no more names. */
export const maxNames = 4_096;

/** Cuts names into lists that fit into one message each, beside `bytes` of something else. */
export function* splitNames(services: readonly string[], bytes = 0): Generator<readonly string[]> {
  const room = roomBytes - bytes;
  let start = 0;
  let used = 0;
  for (let at = 0; at < services.length; at++) {
    const size = (services[at]?.length ?? 0) + headBytes;
    if (used + size > room || at - start === maxNames) {
      yield services.slice(start, at);
      start = at;
      used = 0;
    }
    used += size;
  }
  if (start < services.length) yield start === 0 ? services : services.slice(start);
}

/** Encodes a message with its members, which are numbered. */
export function encodeMembers(...members: readonly (readonly [number, CborInput])[]): Uint8Array {
  return encodeCbor(new Map<CborKey, CborInput>(members), messageLimits);
}

/** Refuses members outside of 0 to `last`. */
export function expectMembers(members: ReadonlyMap<CborKey, CborValue>, last: number): void {
  for (const key of members.keys()) {
    if (typeof key !== "number" || key < 0 || key > last) {
      malformed("message_malformed", `a message of this type has no member ${key}`);
    }
  }
}

export function readNames(value: CborValue | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxNames) {
    return malformed("message_malformed", `a list of names has 1 to ${maxNames}`);
  }
  const names = value as CborValue[];
  for (const name of names) readName(name);
  return names as readonly string[];
}

/** Reads `[1*256 [origin, names]]`; nothing where the member is left out. */
export function readOriginNames(value: CborValue | undefined): readonly OriginNames[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length === 0 || value.length > 256) {
    return malformed("message_malformed", "a list of routes has 1 to 256 origins");
  }
  return (value as CborValue[]).map((pair) => {
    const [origin, names] = readArray(pair, 2);
    return { origin: readName(origin), services: readNames(names) };
  });
}

export function writeOriginNames(lists: readonly OriginNames[]): CborInput {
  return lists.map(({ origin, services }) => [origin, services]);
}

export function readArray(value: CborValue | undefined, length: number): readonly CborValue[] {
  const values = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  return values.length === length
    ? values
    : malformed("message_malformed", `a list has not its ${length} parts`);
}

export function readName(value: CborValue | undefined): string {
  if (!isText(value)) return malformed("message_malformed", "a name is not text");
  return isName(value) ? value : malformed("name_malformed", `${JSON.stringify(value)} is no name`);
}
