/**
 * Why a session ended, was refused, or a message could not be sent. The codes that go over the wire are those of
 * spec/session.md §4.6, which says when each is raised.
 *
 * | code | what to do |
 * |---|---|
 * | `stopped` | somebody ended the session on purpose: nothing, or start it again there |
 * | `restarting` | the other end goes down and comes back: wait, it is dialled again |
 * | `collision` | another connection with this peer for this purpose stays: nothing |
 * | `hold_expired` | nothing came for the hold time: check the network between the nodes, and that the peer runs |
 * | `handshake_timeout` | the peer took a connection and did not finish to open it: check that a Catalyst node listens there |
 * | `frame_invalid` | an empty frame, or one beyond what was agreed: the peer speaks another protocol, or is broken |
 * | `message_malformed` | a message that is not as specified: the text says which member; upgrade the older of the two |
 * | `message_unexpected` | a message out of turn, or of a protocol that was not agreed: upgrade the older of the two |
 * | `version_unsupported` | no version of the session protocol in common: upgrade the older of the two |
 * | `protocol_unsupported` | no protocol in common, or none in a common version: upgrade the older of the two |
 * | `identity_mismatch` | the peer is not who its certificate, or the configuration, says: check address and name of the peer |
 * | `not_admitted` | the peer is not let in: the text says by which rule; add it as a peer, or see what was revoked |
 * | `self_connection` | the address is this node's own: correct it |
 * | `open_mismatch` | the two ends did not read the same OPENs: something between them changes bytes |
 * | `credit_exceeded` | more was sent than was allowed, or more was taken than was sent: the peer is broken |
 * | `rate_exceeded` | more keepalives than anybody needs: the peer is broken |
 * | `too_many_sessions` | the peer has as many sessions as it may: close one, or raise the limit |
 * | `not_reading` | what waited for the peer was not all taken within the hold time: see what keeps it busy, or the line |
 * | `certificate_expired` | the peer's certificate ended during the session: renew it; a renewed one is used at once |
 * | `protocol_error` | a protocol above ended the session: its own code and text say why |
 * | `internal_error` | a fault of the other implementation: see its log |
 * | `too_soon` | the peer opens sessions more often than it may: find out what ends them; it is let in again when it says |
 * | `unknown` | a code of a later version: the text is for people |
 * | `connection_lost` | the connection ended without a word: check the network, and whether the other node admits this one and speaks TLS as it does; it is dialled again |
 * | `dial_failed` | no connection: check address, port, certificates; `cause` has the system's reason |
 * | `listen_failed` | the address cannot be listened on: `cause` has the system's reason |
 * | `message_too_large` | the peer accepts no message of that size: split it |
 * | `misused` | a fault of the caller: the message says which |
 */
export type SessionErrorCode =
  | "stopped"
  | "restarting"
  | "collision"
  | "hold_expired"
  | "handshake_timeout"
  | "frame_invalid"
  | "message_malformed"
  | "message_unexpected"
  | "version_unsupported"
  | "protocol_unsupported"
  | "identity_mismatch"
  | "not_admitted"
  | "self_connection"
  | "open_mismatch"
  | "credit_exceeded"
  | "rate_exceeded"
  | "too_many_sessions"
  | "not_reading"
  | "certificate_expired"
  | "protocol_error"
  | "internal_error"
  | "too_soon"
  | "unknown"
  | "connection_lost"
  | "dial_failed"
  | "listen_failed"
  | "message_too_large"
  | "misused";

/** Why a session ended. */
export type EndReason = {
  readonly code: SessionErrorCode;
  /** For people. What a peer sent is fit for a terminal, but says only what the peer wanted to say. */
  readonly text: string;
  /** Who ended it; null when the connection did. */
  readonly by: "us" | "peer" | null;
  /** Of `protocol_error`: which protocol, and its own code. */
  readonly protocol?: string;
  readonly protocolCode?: number;
  /** Of `too_soon`: after how long the peer is let in again. */
  readonly retryAfterMs?: number;
};

/** The one error of this package. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly code: SessionErrorCode;
  /** Of `too_soon`; 0 with other codes. */
  readonly retryAfterMs: number;

  constructor(
    code: SessionErrorCode,
    message: string,
    { retryAfterMs = 0, ...options }: ErrorOptions & { readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
