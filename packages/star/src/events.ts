import type { Logger, Metrics } from "@catalyst/telemetry";
import type { Sessions } from "./sessions.ts";

/** What a star tells of what it does, for logs and metrics. Paths are as callers named them. */
export type StarEvents = {
  /** Somebody asks to read a file; who it is shows the token. */
  readRequested(path: string): void;
  readAuthorised(path: string): void;
  readCompleted(path: string, bytes: number): void;
  /** Whoever asked will ask for the bytes by HTTP. */
  readTurned(path: string): void;
  readFailed(path: string, error: unknown): void;
  /** A transfer token was refused. */
  tokenRefused(path: string, error: unknown): void;
  handshake(accepted: boolean, address: string): void;
  replicationStarted(remotePath: string, localPath: string, sourceUrl: string): void;
  replicationCompleted(localPath: string, bytes: number, checksum: string, seconds: number): void;
  replicationFailed(localPath: string, error: unknown, seconds: number): void;
  /** A fault of the star itself. */
  failed(call: string, error: unknown): void;
};

/** Writes the events of a star to its log and counts them. Secrets and tokens are in neither. */
export function watchStar(logger: Logger, metrics: Metrics, sessions: Sessions): StarEvents {
  const transfers = metrics.counter("p2p_transfers_total", "Files fetched from other stars.", ["status"]);
  const fetched = metrics.counter(
    "p2p_bytes_transferred_total",
    "Bytes of files fetched from other stars.",
    [],
  );
  const duration = metrics.summary(
    "p2p_transfer_duration_seconds",
    "How long a file took to be fetched.",
    [],
  );
  const refused = metrics.counter(
    "p2p_token_verification_errors_total",
    "Transfer tokens that were refused.",
    [],
  );
  const served = metrics.counter("star_bytes_served_total", "Bytes of files read by others.", []);
  const reads = metrics.counter("star_reads_total", "Files read by others, whole or in part.", ["status"]);
  const handshakes = metrics.counter("star_handshakes_total", "Tokens shown for a session.", ["accepted"]);
  metrics.readGauge("star_sessions", "Sessions that are open.", [], () => [[{}, sessions.count]]);
  // Those that nothing has happened to are there too, or nobody can tell none from not counted.
  for (const status of ["success", "failure"]) for (const each of [transfers, reads]) each.inc({ status }, 0);
  for (const each of [fetched, refused, served]) each.inc({}, 0);
  return {
    readRequested: (path) => logger.info(`ReadStream request for: ${path}`),
    readAuthorised: (path) => logger.info(`Authorized ReadStream request for: ${path}`),
    readCompleted: (path, bytes) => {
      reads.inc({ status: "success" });
      served.inc({}, bytes);
      logger.info({ path, bytes }, `ReadStream complete: ${bytes} bytes sent`);
    },
    readTurned: (path) => logger.debug({ path }, "ReadStream goes on by HTTP"),
    readFailed: (path, err) => {
      reads.inc({ status: "failure" });
      logger.warn({ path, err }, "ReadStream failed");
    },
    tokenRefused: (path, err) => {
      refused.inc({});
      logger.warn({ path, err }, "a transfer token was refused");
    },
    handshake: (accepted, address) => {
      handshakes.inc({ accepted: String(accepted) });
      if (accepted) logger.debug({ address }, "a session begins");
      else logger.warn({ address }, "a wrong star token was shown");
    },
    replicationStarted: (remotePath, localPath, sourceUrl) =>
      logger.info(`ReplicateFile: ${remotePath} → ${localPath} (from ${sourceUrl})`),
    replicationCompleted: (path, bytes, checksum, seconds) => {
      transfers.inc({ status: "success" });
      fetched.inc({}, bytes);
      duration.observe({}, seconds);
      logger.info(
        { path, bytes, seconds: toMs(seconds) },
        `Transfer complete: ${bytes} bytes, checksum: ${checksum}`,
      );
    },
    replicationFailed: (path, err, seconds) => {
      transfers.inc({ status: "failure" });
      duration.observe({}, seconds);
      logger.warn({ path, err, seconds: toMs(seconds) }, "ReplicateFile failed");
    },
    failed: (call, err) => logger.error({ call, err }, "a call failed for a fault of this star"),
  };
}

/** Seconds to the millisecond: what is finer is noise to who reads a log. */
function toMs(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
