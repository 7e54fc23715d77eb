import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceProtocol, SubscriptionTransport } from "@catalyst/rpc";
import { createLogger, type Logger } from "@catalyst/telemetry";
import { SdkError } from "./errors.ts";
import type { NodeLocation } from "./node-socket.ts";
import { type RegisterOptions, type Registration, register } from "./registration.ts";
import { type Answering, RequestServer } from "./request-server.ts";

export type ServeOptions = Answering &
  NodeLocation &
  Pick<RegisterOptions, "ttlMs" | "health" | "onEvent"> & {
    /** A DNS label: the service is reached at the Host `<name>.<domain>`. */
    readonly name: string;
    /** `graphql` joins the federated endpoint; `http` is reached by its Host alone. */
    readonly protocol: Exclude<ServiceProtocol, "tcp">;
    /** Default 0: the operating system chooses one. */
    readonly port?: number | undefined;
    /** The address to listen on. Default `127.0.0.1`. */
    readonly host?: string | undefined;
    /** Where the service answers below its port. Default `/graphql` for GraphQL, else `/`. */
    readonly path?: string | undefined;
    /** Where the node reaches the service, when that is not where it listens. Default from `host`, `port`, `path`. */
    readonly url?: string | undefined;
    /** How long one request may take before the mesh counts it as failed. Default 15,000 ms. */
    readonly timeoutMs?: number | undefined;
    /** How subscriptions reach a GraphQL service. Default `auto`: server-sent events first, then a WebSocket. */
    readonly subscriptions?: SubscriptionTransport | undefined;
    /** Default: JSON lines on standard error. */
    readonly logger?: Logger | undefined;
    /** Whether SIGTERM and SIGINT close the service. Default true. */
    readonly signals?: boolean | undefined;
    /** From the release to the end of listening, for requests that Envoy has sent already. Default 500 ms. */
    readonly graceMs?: number | undefined;
    /** How long requests in flight may take at the end before they are cut off. Default 10,000 ms. */
    readonly drainMs?: number | undefined;
  };

/** A service that listens and is, or will be, registered. */
export type RunningService = AsyncDisposable & {
  readonly url: string;
  readonly port: number;
  readonly logger: Logger;
  readonly registration: Registration;
  /**
   * Leaves the node first, lets requests in flight finish, then ends. Event streams do not finish by themselves
   * and are ended. Never rejects; a second call awaits the first.
   */
  close(): Promise<void>;
  /** Resolves when the service has closed, for whatever reason. */
  readonly closed: Promise<void>;
};

/**
 * Answers over HTTP and registers with the node: what most services need. Answers `/healthz` itself,
 * logs one line per request with its request id, and closes cleanly on SIGTERM and SIGINT.
 *
 * Throws {@link SdkError} `listen_failed`, `declaration_invalid`.
 *
 * @example
 * ```ts
 * const handler = () => new Response("hello\n");
 * const service = await serveService({ name: "hello", protocol: "http", handler });
 * await service.registration.ready;
 * ```
 */
export async function serveService(options: ServeOptions): Promise<RunningService> {
  const { name, protocol, host = "127.0.0.1", path = protocol === "graphql" ? "/graphql" : "/" } = options;
  const logger = options.logger ?? createLogger({ process: name });
  const requests = new RequestServer(options, options.health, logger);
  const server = createServer((request, response) => requests.take(request, response));
  // Longer than Envoy keeps an idle connection (1 h): closed from here, it could break a request on its way.
  server.keepAliveTimeout = 65 * 60_000;
  const port = await listen(server, host, options.port ?? 0);
  const url = options.url ?? `http://${reachable(host)}:${port}${path}`;
  const { timeoutMs, subscriptions } = options;
  let registration: Registration;
  try {
    const service = {
      name,
      protocol,
      url,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(subscriptions === undefined ? {} : { subscriptions }),
    };
    registration = register({ ...options, service, logger });
  } catch (error) {
    server.close();
    throw error;
  }
  logger.info({ url }, "listening");
  const close = closeOnce(requests, server, registration, options, logger);
  if (options.signals !== false) closeOnSignals(close);
  return { url, port, logger, registration, ...close, [Symbol.asyncDispose]: close.close };
}

type Closing = Pick<RunningService, "close" | "closed">;

function closeOnce(
  requests: RequestServer,
  server: Server,
  registration: Registration,
  { graceMs = 500, drainMs = 10_000 }: ServeOptions,
  logger: Logger,
): Closing {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let begun = false;
  const leave = async () => {
    const known = registration.state === "registered";
    requests.beginClosing();
    await registration.release();
    if (known) await sleep(graceMs);
    const cut = await requests.drain(server, drainMs);
    logger.info({ cut }, "closed");
    resolve();
  };
  const close = () => {
    if (!begun) void leave();
    begun = true;
    return closed;
  };
  return { close, closed };
}

/** A second signal of the same kind ends the process at once, as it would without a handler. */
function closeOnSignals({ close, closed }: Closing): void {
  const onSignal = () => void close();
  process.once("SIGTERM", onSignal).once("SIGINT", onSignal);
  void closed.then(() => process.off("SIGTERM", onSignal).off("SIGINT", onSignal));
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE"
          ? "the port is in use; end what listens there, or choose another"
          : error.message;
      reject(
        new SdkError("listen_failed", `cannot listen on ${host}, port ${port}: ${why}`, { cause: error }),
      );
    };
    try {
      server.once("error", fail).listen(port, host, () => resolve((server.address() as AddressInfo).port));
    } catch (error) {
      fail(error as NodeJS.ErrnoException);
    }
  });
}

/** The host part of a URL by which the node, on the same machine, reaches what listens on an address. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
