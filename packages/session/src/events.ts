import type { Logger, Metrics } from "@catalyst/telemetry";
import type { EndReason } from "./errors.ts";
import type { Agreement } from "./negotiation.ts";

/** What happens to sessions, for whoever watches. */
export type SessionEvents = {
  readonly established: (agreement: Agreement, remote: string) => void;
  /** A session ended. `established` says whether it ever was; `peer` is null when nobody said who it was. */
  readonly ended: (end: {
    readonly peer: string | null;
    readonly purpose: string | null;
    readonly remote: string;
    readonly reason: EndReason;
    readonly established: boolean;
  }) => void;
  /** A peer's clock and ours differ by more than `maxClockSkewMs`. */
  readonly skewed: (peer: string, skewMs: number) => void;
  /** A connection was turned away before anything was read of it: too many are on their way. */
  readonly turnedAway: (address: string) => void;
};

/** Writes them to the log, and counts them. */
export function watchSessions({ logger, metrics }: { logger: Logger; metrics: Metrics }): SessionEvents {
  const begun = metrics.counter("session_established_total", "Sessions that were established.", []);
  const over = metrics.counter("session_ended_total", "Sessions and attempts that ended, by reason.", [
    "code",
  ]);
  const away = metrics.counter("session_turned_away_total", "Connections that were turned away unread.", []);
  return {
    established: ({ peer, purpose, holdMs, protocols }, remote) => {
      begun.inc({});
      const spoken = protocols.map(({ name, version }) => `${name}/v${version}`);
      logger.info({ peer: peer.node, purpose, remote, holdMs, protocols: spoken }, "session established");
    },
    ended: ({ peer, purpose, remote, reason, established }) => {
      over.inc({ code: reason.code });
      const fields = { peer, purpose, remote, code: reason.code, by: reason.by, text: reason.text };
      if (established) logger.warn(fields, "session ended");
      else logger.info(fields, "no session came about");
    },
    skewed: (peer, skewMs) => logger.warn({ peer, skewMs }, "the peer's clock and ours differ"),
    turnedAway: (address) => {
      away.inc({});
      logger.debug({ address }, "connection turned away");
    },
  };
}
