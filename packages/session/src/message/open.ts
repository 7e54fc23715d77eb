import type { CborValue } from "@catalyst/wire";
import {
  ascending,
  bytesOf,
  type Field,
  integer,
  listOf,
  type MapOf,
  malformed,
  mapOf,
  name,
  token,
} from "./field.ts";

/** The smallest and largest hold time that anybody may propose, in ms. */
export const holdRangeMs = [1_000, 3_600_000] as const;

/** The smallest and largest bound of a frame that anybody may set, in bytes. */
export const frameRangeBytes = [65_536, 16_777_216] as const;

const versions = ascending(listOf(integer(1, 65_535), 1, 16), (version) => version);

const offerMembers = {
  name: { key: 1, field: token },
  versions: { key: 2, field: versions },
  windowMessages: { key: 3, field: integer(4, 1_048_576) },
  windowBytes: { key: 4, field: integer(131_072, 268_435_456) },
} as const;

/** A protocol above the session, its versions, and what a sender may have outstanding towards whoever offers it. */
export type ProtocolOffer = MapOf<typeof offerMembers>;

const openMembers = {
  versions: { key: 1, field: versions },
  node: { key: 2, field: name },
  domain: { key: 3, field: name },
  keyThumbprint: { key: 4, field: bytesOf(32) },
  incarnation: { key: 5, field: bytesOf(16) },
  nonce: { key: 6, field: bytesOf(32) },
  purpose: { key: 7, field: token },
  holdMs: { key: 8, field: integer(...holdRangeMs) },
  maxFrameBytes: { key: 9, field: integer(...frameRangeBytes) },
  protocols: {
    key: 10,
    field: ascending(listOf(mapOf(offerMembers, { later: 5 }), 1, 16), (offer) => offer.name),
  },
  capabilities: { key: 11, field: ascending(listOf(token, 0, 64), (capability) => capability) },
  timeMs: { key: 12, field: integer() },
} as const;

/** All that one end says of itself, spec/session.md §4.1. */
export type Open = MapOf<typeof openMembers>;

const members: Field<Open> = mapOf(openMembers, { reserved: [0], later: 13 });

export const openField: Field<Open> = {
  read: (value: CborValue, place) => {
    const open = members.read(value, place);
    const label = open.node.slice(0, -(open.domain.length + 1));
    if (label === "" || label.includes(".") || open.node !== `${label}.${open.domain}`) {
      malformed(`${place}.node`, "one label before the domain");
    }
    for (const { name: protocol, windowBytes } of open.protocols) {
      if (windowBytes < 2 * open.maxFrameBytes) {
        malformed(`${place}.protocols.${protocol}.windowBytes`, "room for two of the largest frames");
      }
    }
    return open;
  },
  write: (open) => members.write(open),
};
