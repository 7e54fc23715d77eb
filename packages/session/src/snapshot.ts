import type { Clock, Timestamp } from "./clock.ts";
import type { EndReason } from "./errors.ts";
import type { SessionRole, SessionState } from "./machine.ts";
import type { Peer } from "./peer.ts";
import type { Session } from "./session.ts";
import type { Count } from "./window.ts";

/** One session, or the attempt at one, as `status` shows it. */
export type SessionSnapshot = {
  readonly node: string | null;
  readonly purpose: string | null;
  readonly role: SessionRole;
  readonly state: SessionState["kind"];
  readonly remote: string | null;
  /** Failures since it was last stable. */
  readonly attempts: number;
  /** Until it is dialled again, in ms; null when it is not. */
  readonly retryInMs: number | null;
  /** How long it has been established, in ms. */
  readonly establishedMs: number | null;
  readonly peer: Peer | null;
  readonly certificateNotAfter: Timestamp | null;
  readonly holdMs: number | null;
  readonly channels: readonly ChannelSnapshot[];
  /** Protocols that both ends speak in no common version. */
  readonly unavailable: readonly { readonly protocol: string; readonly reason: string }[];
  readonly lastEnd: { readonly reason: EndReason; readonly at: Timestamp } | null;
};

/** What went over one channel. */
export type ChannelSnapshot = {
  readonly protocol: string;
  readonly version: number;
  readonly sent: Count;
  readonly received: Count;
  /** Messages that wait: for the peer's credit or the connection, and for our reader. */
  readonly toSend: number;
  readonly toRead: number;
};

export function snapshotOf(session: Session, clock: Clock): SessionSnapshot {
  const { state, role, subject, transport, agreement, lastEnd } = session;
  const now = clock.now();
  return {
    node: subject?.node ?? null,
    purpose: subject?.purpose ?? null,
    role,
    state: state.kind,
    remote: transport?.remote ?? null,
    attempts: state.attempts,
    retryInMs: state.kind === "idle" && state.retryAt !== null ? Math.max(0, state.retryAt - now) : null,
    establishedMs: state.kind === "established" ? now - state.since : null,
    peer: agreement?.peer ?? null,
    certificateNotAfter: transport?.certificate?.notAfter ?? null,
    holdMs: agreement?.holdMs ?? null,
    channels: channelsOf(session),
    unavailable: agreement?.unavailable ?? [],
    lastEnd,
  };
}

function channelsOf({ channels }: Session): readonly ChannelSnapshot[] {
  return Array.from(channels.values(), ({ channel, sending, receiving, waiting, arrived }) => ({
    protocol: channel.protocol,
    version: channel.version,
    sent: sending.sent,
    received: receiving.received,
    toSend: waiting.length,
    toRead: arrived.length,
  }));
}
