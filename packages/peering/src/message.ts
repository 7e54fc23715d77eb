import type { CborKey, CborValue } from "@catalyst/wire";
import { decode, isInteger, malformed } from "./cbor.ts";
import { decodeEndOfRib, type EndOfRib, endOfRibType } from "./end-of-rib.ts";
import { decodeHealth, type Health, healthType } from "./health.ts";
import { messageLimits } from "./name-list.ts";
import { decodeRefresh, type Refresh, refreshType } from "./refresh.ts";
import { decodeUpdate, type Update, updateType } from "./update.ts";

/** A message of the peering protocol, spec/peering.md §2. */
export type Message = Update | EndOfRib | Refresh | Health;

/** Messages with a type from here on are left to later versions; who does not know them ignores them. */
const firstOptional = 64;

const readers: ReadonlyMap<number, (members: ReadonlyMap<CborKey, CborValue>) => Message> = new Map<
  number,
  (members: ReadonlyMap<CborKey, CborValue>) => Message
>([
  [updateType, decodeUpdate],
  [endOfRibType, decodeEndOfRib],
  [refreshType, decodeRefresh],
  [healthType, decodeHealth],
]);

/**
 * Reads a message; null for one that a later version may have added. Attributes inside an UPDATE are not looked into.
 * Throws {@link PeeringError} `message_*` and `name_malformed`, which end the session.
 *
 * @example
 * decodeMessage(Uint8Array.of(0xa2, 0x00, 0x02, 0x01, 0x00)); // { kind: "end-of-rib", refresh: 0 }
 */
export function decodeMessage(bytes: Uint8Array): Message | null {
  if (bytes.length > messageLimits.maxBytes) {
    return malformed("message_too_large", `${bytes.length} bytes are more than ${messageLimits.maxBytes}`);
  }
  const value = decode(bytes, messageLimits, "message_malformed");
  const members = value instanceof Map ? (value as ReadonlyMap<CborKey, CborValue>) : null;
  const type = members?.get(0);
  if (members === null || !isInteger(type, 0, Number.MAX_SAFE_INTEGER)) {
    return malformed("message_malformed", "a message is a map with its type under 0");
  }
  if (type >= firstOptional) return null;
  const read = readers.get(type) ?? malformed("message_unknown", `there is no message of type ${type}`);
  return read(members);
}
