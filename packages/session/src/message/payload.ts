import { bytesOf, type Field, type MapOf, mapOf, token } from "./field.ts";
import { frameRangeBytes } from "./open.ts";

const payloadMembers = {
  protocol: { key: 1, field: token },
  payload: { key: 2, field: bytesOf(1, frameRangeBytes[1]) },
} as const;

/** One message of a protocol above, spec/session.md §4.4. */
export type Payload = MapOf<typeof payloadMembers>;

export const payloadField: Field<Payload> = mapOf(payloadMembers, { reserved: [0] });

/** What a MESSAGE takes in its frame beside its payload at most. */
export const payloadOverheadBytes = 80;
