export type { Channel } from "./channel.ts";
export { type Clock, type Instant, systemClock, type Timestamp } from "./clock.ts";
export { type EndReason, SessionError, type SessionErrorCode } from "./errors.ts";
export { type SessionEvents, watchSessions } from "./events.ts";
export type { SessionRole, SessionState } from "./machine.ts";
export { type NotificationCode, notificationCodes } from "./message/notification.ts";
export type { AgreedProtocol, Agreement, Window } from "./negotiation.ts";
export { type SessionOptions, sessionOptions } from "./options.ts";
export type { Admit, Candidate, Peer, SessionAdmission } from "./peer.ts";
export { insecurePlainTransports } from "./plain-transport.ts";
export {
  createSessions,
  type DialledPeer,
  type ProtocolUser,
  type Sessions,
  type SessionsParts,
  type SessionsSnapshot,
} from "./sessions.ts";
export type { ChannelSnapshot, SessionSnapshot } from "./snapshot.ts";
export {
  type StrangersProtocol,
  type TlsCredentials,
  type TlsTransportOptions,
  tlsTransports,
} from "./tls-transport.ts";
export type {
  Acceptor,
  Dialled,
  Listening,
  Transport,
  TransportProvider,
  TransportUser,
} from "./transport.ts";
export type { Count } from "./window.ts";
