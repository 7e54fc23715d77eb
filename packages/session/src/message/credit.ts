import { type Field, integer, type MapOf, mapOf, token } from "./field.ts";

const creditMembers = {
  protocol: { key: 1, field: token },
  messages: { key: 2, field: integer() },
  bytes: { key: 3, field: integer() },
} as const;

/** How much of a protocol was taken in all since the session began, spec/session.md §4.5. */
export type Credit = MapOf<typeof creditMembers>;

export const creditField: Field<Credit> = mapOf(creditMembers, { reserved: [0] });
