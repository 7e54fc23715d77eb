import { visible } from "@catalyst/wire";
import { type Field, integer, type MapOf, mapOf, textUpTo, token } from "./field.ts";

/** The codes of spec/session.md §4.6, each with its number. */
export const notificationCodes = {
  stopped: 1,
  restarting: 2,
  collision: 3,
  hold_expired: 4,
  handshake_timeout: 5,
  frame_invalid: 6,
  message_malformed: 7,
  message_unexpected: 8,
  version_unsupported: 9,
  protocol_unsupported: 10,
  identity_mismatch: 11,
  not_admitted: 12,
  self_connection: 13,
  open_mismatch: 14,
  credit_exceeded: 15,
  rate_exceeded: 16,
  too_many_sessions: 17,
  not_reading: 18,
  certificate_expired: 19,
  protocol_error: 20,
  internal_error: 21,
  too_soon: 22,
} as const;

/** A code that goes over the wire; `unknown` is read where the number is of a later version, and never written. */
export type NotificationCode = keyof typeof notificationCodes | "unknown";

const names = new Map<number, NotificationCode>(
  Object.entries(notificationCodes).map(([name, number]) => [number, name as NotificationCode]),
);

const maxTextBytes = 512;
const number = integer(1, 65_535);

const code: Field<NotificationCode> = {
  read: (value, place) => names.get(number.read(value, place)) ?? "unknown",
  write: (name) => notificationCodes[name === "unknown" ? "internal_error" : name],
};

const notificationMembers = {
  code: { key: 1, field: code },
  text: { key: 2, field: textUpTo(maxTextBytes) },
  protocol: { key: 3, field: token, optional: true },
  protocolCode: { key: 4, field: integer(0, 65_535), optional: true },
  retryAfterMs: { key: 5, field: integer(0, 86_400_000), optional: true },
} as const;

/** Why a session ends, for machines and for people; the last message on a connection. */
export type Notification = MapOf<typeof notificationMembers>;

const members: Field<Notification> = mapOf(notificationMembers, { reserved: [0], later: 6 });

export const notificationField: Field<Notification> = {
  read: (value, place) => {
    const notification = members.read(value, place);
    return { ...notification, text: visible(notification.text) };
  },
  write: (notification) => members.write({ ...notification, text: shortened(notification.text) }),
};

/** As many whole characters as fit. */
function shortened(text: string): string {
  let bytes = 0;
  let kept = "";
  for (const character of text.toWellFormed()) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxTextBytes) break;
    kept += character;
  }
  return kept;
}
