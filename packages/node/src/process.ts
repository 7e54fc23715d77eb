import { createWriteStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { parseAddress, showAddress } from "@catalyst/config";
import {
  type CheckResult,
  type Contract,
  type Implementation,
  type ProcessName,
  RpcError,
  serveRpc,
  socketPath,
} from "@catalyst/rpc";
import { createLogger, createMetrics, createOps, type Logger, type Metrics } from "@catalyst/telemetry";
import { prepareDataDir } from "./data-dir.ts";
import { NodeError } from "./errors.ts";
import type { NodeConfig } from "./options.ts";
import { paths } from "./paths.ts";
import { release } from "./release.ts";

/** What every process of a node is given. */
export type ProcessFrame = {
  readonly name: ProcessName;
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborts when the process is asked to end. */
  readonly stopping: AbortSignal;
  /** Where the operations endpoints are served over TCP, with the port that the system chose; null while nowhere. */
  readonly telemetryAddress: () => string | null;
};

type Common = "hello" | "status" | "drain";

/** What a process adds to the frame. */
export type ProcessBody<C extends Contract> = {
  readonly implementation: Omit<Implementation<C>, Common>;
  /** The `details` of its status. */
  readonly details: () => unknown | Promise<unknown>;
  /** Whether it does its work, and what is wrong where it does not. `reasons` while ready means degraded. */
  readonly readiness: () => { ready: boolean; reasons: readonly string[] };
  /** Plain HTTP of its own; comes before the operations endpoints, also where they are served over TCP to anybody. */
  readonly http?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Plain HTTP for the owner of the process alone: on its socket, and never over TCP. */
  readonly socketHttp?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Finishes what runs, takes nothing new. */
  readonly drain: () => Promise<void>;
  /** Gives up what `drain` still waits for, and what would outlive the process. Default: nothing would. */
  readonly abandon?: () => Promise<void>;
};

/**
 * Runs one process of the node until it is asked to end, by a signal or by `drain`: its socket with RPC and
 * `/healthz`, `/readyz`, `/metrics`, the same three on loopback when it runs alone, and an orderly end. Asked once
 * more meanwhile, by SIGINT or SIGTERM, it ends the whole program at once, with 128 and the signal as exit code.
 */
export async function runProcess<C extends Contract>(
  name: ProcessName,
  contract: C,
  config: NodeConfig,
  dataDir: string,
  compose: (frame: ProcessFrame, resources: AsyncDisposableStack) => Promise<ProcessBody<C>>,
): Promise<void> {
  prepareDataDir(dataDir);
  const logger = createLogger({
    process: name,
    level: config.telemetry.logLevel,
    ...logTarget(name, dataDir),
  });
  const metrics = createMetrics();
  let abandon = async () => {};
  const stop = stopSignal(logger, () => abandon());
  await using resources = new AsyncDisposableStack();
  // Comes before the resources are given back: those that wait until the process stops would wait for ever.
  using _ = { [Symbol.dispose]: () => stop.now() };
  let telemetry: string | null = null;
  const telemetryAddress = () => telemetry;
  const frame = { name, config, dataDir, logger, metrics, stopping: stop.signal, telemetryAddress };
  const body = await compose(frame, resources);
  abandon = async () => body.abandon?.();
  let draining = false;
  const ready = () => {
    if (draining) return { ready: false, reasons: ["draining"] };
    const { ready, reasons } = body.readiness();
    return { ready, reasons: [...reasons] };
  };
  const ops = createOps({ metrics, ready });
  const http = (request: IncomingMessage, response: ServerResponse) =>
    body.http?.(request, response) === true || ops(request, response);
  let drained: Promise<void> | null = null;
  const drain = async () => {
    draining = true;
    drained ??= body.drain();
    try {
      await drained;
    } finally {
      stop.now();
    }
  };
  const status = async () => {
    const details = await body.details();
    const { ready: working, reasons } = ready();
    const state = draining ? "draining" : working ? (reasons.length > 0 ? "degraded" : "ready") : "starting";
    return { process: name, release, pid: process.pid, startedAt, state, reasons, details };
  };
  const server = await serveRpc({
    socketPath: socketPath(dataDir, name),
    process: name,
    release,
    contract,
    implementation: { ...body.implementation, status, drain } as unknown as Omit<Implementation<C>, "hello">,
    logger,
    http: (request, response) => body.socketHttp?.(request, response) === true || http(request, response),
  });
  resources.use(server);
  const startedAt = server.startedAt;
  if (config.telemetry.listen !== "off") {
    telemetry = resources.use(await listenOps(config.telemetry.listen, http)).address;
  }
  logger.info({ release, telemetry }, "process started");
  await stop.requested;
  await drain();
  logger.info("process ended");
}

/** Serves the operations endpoints at an address; port 0 is any free one. Throws {@link NodeError} `port_in_use`. */
async function listenOps(
  listen: string,
  handler: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<AsyncDisposable & { readonly address: string }> {
  const address = parseAddress(listen);
  const server = createServer((request, response) => {
    if (!handler(request, response)) response.writeHead(404).end("Nothing is served here.\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new NodeError(
          "port_in_use",
          `telemetry.listen: cannot listen on ${listen} (${error.message}): free the port, or choose another with --telemetry-listen`,
          { cause: error },
        ),
      );
    });
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: showAddress({ ...address, port }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One outcome of a named check. */
export function checked(
  code: string,
  title: string,
  problem: { detail: string; hint: string; outcome?: "warning" | "failed" } | null,
  ok = "ok",
): CheckResult {
  if (problem === null) return { code, title, outcome: "ok", detail: ok };
  return { code, title, outcome: problem.outcome ?? "failed", detail: problem.detail, hint: problem.hint };
}

/** The answer of a process that is asked about something that it knows nothing of. */
export function notExplainable(name: ProcessName, subject: string, known: readonly string[]): RpcError {
  return new RpcError(
    "not_explainable",
    `${name} explains ${known.join(", ")}, and knows nothing of "${subject}"`,
  );
}

/** The supervisor has the terminal for its status, and its children's logs in files: its own is beside them. */
function logTarget(name: ProcessName, dataDir: string): { destination?: Writable } {
  if (name !== "supervisor") return {};
  const file = createWriteStream(join(paths.logs(dataDir), "supervisor.log"), { flags: "a", mode: 0o600 });
  file.on("error", () => undefined); // a full disk must not end the node
  return { destination: file };
}

/** One Ctrl-C may arrive more than once, from the terminal and from npm: what follows this closely is the same one. */
const sameRequestMs = 500;

function stopSignal(logger: Logger, abandon: () => Promise<void>) {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let askedAt = 0;
  const stop = (why: string) => {
    askedAt = performance.now();
    logger.info({ why }, "asked to end: draining; SIGINT or SIGTERM once more ends at once");
    controller.abort();
  };
  const endAtOnce = async (signal: "SIGINT" | "SIGTERM") => {
    logger.warn({ why: signal }, "asked to end once more: what still ran is cut off");
    await abandon().catch((error) => logger.error({ err: error }, "not everything could be ended"));
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (!controller.signal.aborted) stop(signal);
      else if (performance.now() - askedAt > sameRequestMs) void endAtOnce(signal);
    });
  }
  process.on("SIGHUP", () => {
    if (!controller.signal.aborted) stop("SIGHUP");
  });
  return { signal: controller.signal, requested, now: () => controller.abort() };
}
