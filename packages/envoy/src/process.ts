/** The release of Envoy that this package is written for and tested with. */
export const envoyRelease = "1.40.0";

/** How Envoy is started. */
export type EnvoyProcessOptions = {
  readonly bootstrapPath: string;
  /** Worker threads. Default: one per core. */
  readonly concurrency?: number | undefined;
  /** How long access log lines may wait to be written, in ms. Default 1,000. */
  readonly flushMs?: number | undefined;
};

/**
 * For how long clients are told to leave before a draining listener closes; connections of a node that was revoked end
 * when it is over, which may take 5 s in all.
 */
const drainSeconds = 2;

/** Envoy's arguments. Its log goes to standard error, its access log to standard output, both as JSON. */
export function envoyArguments({
  bootstrapPath,
  concurrency,
  flushMs = 1_000,
}: EnvoyProcessOptions): string[] {
  return [
    ...["--config-path", bootstrapPath],
    "--disable-hot-restart",
    ...["--log-level", "warning"],
    ...["--drain-time-s", String(drainSeconds)],
    ...["--drain-strategy", "immediate"],
    ...["--file-flush-interval-msec", String(flushMs)],
    ...(concurrency === undefined ? [] : ["--concurrency", String(concurrency)]),
  ];
}

/** The version in what `envoy --version` prints; null when it is none. */
export function parseEnvoyVersion(printed: string): string | null {
  return /version:\s*[0-9a-f]+\/([0-9]+\.[0-9]+\.[0-9]+[^/\s]*)\//.exec(printed)?.[1] ?? null;
}
