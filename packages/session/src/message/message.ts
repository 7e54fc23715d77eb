import {
  type CborInput,
  type CborLimits,
  type CborValue,
  decodeCbor,
  encodeCbor,
  WireError,
} from "@catalyst/wire";
import { SessionError } from "../errors.ts";
import { type Accept, acceptField } from "./accept.ts";
import { type Credit, creditField } from "./credit.ts";
import { type Field, mapOf } from "./field.ts";
import { type Notification, notificationField } from "./notification.ts";
import { type Open, openField } from "./open.ts";
import { type Payload, payloadField } from "./payload.ts";

export type MessageOf = {
  readonly open: Open;
  readonly accept: Accept;
  readonly keepalive: Readonly<Record<never, never>>;
  readonly message: Payload;
  readonly credit: Credit;
  readonly notification: Notification;
};

export type MessageKind = keyof MessageOf;

/** One message of spec/session.md §4, with its kind. */
export type Message = {
  readonly [Kind in MessageKind]: { readonly kind: Kind } & MessageOf[Kind];
}[MessageKind];

const kinds: {
  readonly [Kind in MessageKind]: { readonly number: number; readonly field: Field<MessageOf[Kind]> };
} = {
  open: { number: 1, field: openField },
  accept: { number: 2, field: acceptField },
  keepalive: { number: 3, field: mapOf({}, { reserved: [0] }) },
  message: { number: 4, field: payloadField },
  credit: { number: 5, field: creditField },
  notification: { number: 6, field: notificationField },
};

const kindsByNumber = new Map<CborValue | undefined, MessageKind>(
  Object.entries(kinds).map(([kind, { number }]) => [number, kind as MessageKind]),
);

/** The longest frame before both ends know what the other accepts. */
export const maxOpenFrameBytes = 16_384;

const limits: CborLimits = { maxDepth: 4, maxItems: 1_024 };

/**
 * Reads the payload of a frame. The payload of a MESSAGE is a view into `bytes`. Throws {@link SessionError}
 * `message_malformed`.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const value = decode(bytes);
  const kind =
    value instanceof Map ? kindsByNumber.get((value as ReadonlyMap<unknown, CborValue>).get(0)) : undefined;
  if (kind === undefined) throw new SessionError("message_malformed", "the message is of no known kind");
  return { kind, ...kinds[kind].field.read(value, kind) } as Message;
}

/** Writes the payload of a frame. */
export function encodeMessage<Kind extends MessageKind>(kind: Kind, message: MessageOf[Kind]): Uint8Array {
  const { number, field } = kinds[kind];
  const entries = field.write(message) as ReadonlyMap<number, CborInput>;
  return encodeCbor(new Map([[0, number], ...entries]), { ...limits, maxBytes: Number.MAX_SAFE_INTEGER });
}

function decode(bytes: Uint8Array): CborValue {
  try {
    return decodeCbor(bytes, { ...limits, maxBytes: bytes.length });
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new SessionError("message_malformed", `not canonical CBOR: ${cause.message}`, { cause });
  }
}
