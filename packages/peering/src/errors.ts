/**
 * Why a message, a route or a policy was refused. spec/peering.md §7 says for each code when it is raised, and whether
 * it ends the session or costs only the routes that are spoken of.
 *
 * | code | what to do |
 * |---|---|
 * | `message_too_large` | a message longer than 65,024 bytes: the sender splits it |
 * | `message_malformed` | the bytes are no message of spec/peering.md: correct the sender |
 * | `message_unknown` | a message of a type that this release does not know: the sender uses what the session agreed on |
 * | `name_malformed` | a node or service that is no name: correct the sender |
 * | `limit_routes` | the peer announces more routes than its limit: raise `mesh.peering.maxRoutes`, or find out why there are so many |
 * | `limit_bytes` | the peer's routes take more than their limit: have it use fewer labels, or tell fewer by its rules of export |
 * | `limit_origins` | the peer tells one service from more than 256 nodes: have its rules of export leave some out |
 * | `limit_rate` | the peer changes more routes a second than its limit: find out what flaps there |
 * | `attributes_malformed` | the attributes of routes cannot be read: the routes count as withdrawn; correct the sender |
 * | `peer_removed` | the peer was taken out here: nothing, or have it added again |
 * | `policy_invalid` | a rule of a policy has a fault: the message names the rule and what it may be |
 * | `route_invalid` | a route of this node's own has a fault: the message names the member |
 */
export type PeeringErrorCode =
  | "message_too_large"
  | "message_malformed"
  | "message_unknown"
  | "name_malformed"
  | "limit_routes"
  | "limit_bytes"
  | "limit_origins"
  | "limit_rate"
  | "attributes_malformed"
  | "peer_removed"
  | "policy_invalid"
  | "route_invalid";

/** The codes that end a session, with their numbers in a NOTIFICATION: spec/peering.md §7. */
export const closeCodes = {
  message_too_large: 1,
  message_malformed: 2,
  message_unknown: 3,
  name_malformed: 4,
  limit_routes: 5,
  limit_bytes: 6,
  limit_origins: 7,
  limit_rate: 8,
  peer_removed: 9,
} as const satisfies Partial<Record<PeeringErrorCode, number>>;

/** Why a session is ended. */
export type CloseCode = keyof typeof closeCodes;

/** Whether an error ends the session that it came up in. */
export function isCloseCode(code: PeeringErrorCode): code is CloseCode {
  return Object.hasOwn(closeCodes, code);
}

/** The one error of this package. Its message may quote what a peer sent, without control characters. */
export class PeeringError extends Error {
  override readonly name = "PeeringError";
  readonly code: PeeringErrorCode;

  constructor(code: PeeringErrorCode, message: string, options: ErrorOptions = {}) {
    super(message.slice(0, 500).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd"), options);
    this.code = code;
  }
}
