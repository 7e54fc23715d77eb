import { createServer, type Server as HttpServer } from "node:http";
import { createMetrics, createOps, type Logger, type Metrics } from "@catalyst/telemetry";
import { setLogger } from "@grpc/grpc-js";
import { TlsIdentity } from "./connection/credentials.ts";
import { listen, listenFailed } from "./connection/listen.ts";
import type { TlsFiles } from "./connection/tls-files.ts";
import { StarError } from "./errors.ts";
import { watchStar } from "./events.ts";
import { type HardLinkPolicy, Jail } from "./jail/jail.ts";
import { Replicator } from "./replicate/replicator.ts";
import { StarSources } from "./replicate/star-sources.ts";
import { createStarServer } from "./server/star.ts";
import { Sessions } from "./sessions.ts";

/** How a star is run. */
export type StarOptions = {
  /** Where it listens: an IP address. */
  readonly bind: string;
  /** 0: any free one. */
  readonly port: number;
  /** What callers show for a session. */
  readonly token: string;
  /** What transfer tokens are signed with: the same at all stars of a Nucleus. */
  readonly authSecret: string;
  /** The folders that are served and written to, by their paths. */
  readonly allow: readonly string[];
  /** Bytes in each message of a file, 4,096 to 4,000,000; default 64 KiB. */
  readonly chunkBytes?: number;
  /** Default `allow`. */
  readonly hardLinks?: HardLinkPolicy;
  /** What is shown to callers; with authorities these need a certificate of theirs. Absent: plain text. */
  readonly tls?: TlsFiles;
  /**
   * Whom `https` sources have their certificates of, PEM; default `tls.authoritiesFile`, else those that Node knows. Sources that
   * ask for a certificate are shown that of `tls`.
   */
  readonly sourceAuthoritiesFile?: string | undefined;
  /** Where `/metrics`, `/healthz` and `/readyz` are served; absent: nowhere. */
  readonly ops?: { readonly host: string; readonly port: number };
  readonly version: string;
};

/** A star that runs; disposing it lets what is under way end for a moment. */
export type RunningStar = AsyncDisposable & { readonly port: number; readonly opsPort: number | null };

/** How long what is under way may still take when a star goes down. */
const drainMs = 5_000;

/** Runs a star, as `index.ts` says. */
export async function runStar(options: StarOptions, logger: Logger): Promise<RunningStar> {
  const { allow, authSecret, token, bind, chunkBytes, version } = options;
  if (allow.length === 0) throw new StarError("request_invalid", "a star needs a folder to serve: --allow");
  if (token === "" || authSecret === "") throw new StarError("request_invalid", "a secret is not empty");
  // What gRPC says by itself is in no format of ours; a caller learns of it by an error.
  setLogger({ error: (...words: unknown[]) => logger.debug(`gRPC: ${words.join(" ")}`) });
  await using started = new AsyncDisposableStack();
  const metrics = createMetrics("orbit");
  const jail = Jail.open(allow, options.hardLinks);
  const sessions = new Sessions({ token });
  const sources = new StarSources({ identity: new TlsIdentity(towardsSources(options)) });
  const replicator = started.use(new Replicator({ jail, sources }));
  const server = createStarServer({
    jail,
    sessions,
    authSecret,
    version,
    replicator,
    events: watchStar(logger, metrics, sessions),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  });
  const { port, stop } = await listen(server, bind, options.port, { tls: options.tls });
  started.defer(() => stop(drainMs));
  const opsPort = options.ops === undefined ? null : await serveOps(options.ops, metrics, started);
  const owned = started.move();
  return { port, opsPort, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function towardsSources({ tls, sourceAuthoritiesFile }: StarOptions): TlsFiles {
  return { ...tls, authoritiesFile: sourceAuthoritiesFile ?? tls?.authoritiesFile };
}

async function serveOps(
  { host, port }: { readonly host: string; readonly port: number },
  metrics: Metrics,
  started: AsyncDisposableStack,
): Promise<number> {
  const ops = createOps({ metrics, ready: () => ({ ready: true, reasons: [] }) });
  const server: HttpServer = createServer((request, response) => {
    if (!ops(request, response)) response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    server.once("error", (error) => reject(listenFailed(address, error))).listen(port, host, resolve);
  });
  started.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as { port: number }).port;
}
