import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@catalyst/telemetry";
import { newWebSocketRpcSession, RpcTarget } from "capnweb";
import { type WebSocket, WebSocketServer } from "ws";
import { answer, type Contract, type Implementation, type Methods } from "./contract.ts";
import { RpcError } from "./errors.ts";
import type { ProcessName } from "./process.ts";

/** Where RPC lives on a process's socket; other paths are plain HTTP. */
export const rpcPath = "/rpc";

/** Largest message either side takes: room for the SDL of a large organisation. */
export const maxMessageBytes = 32 * 1024 * 1024;

/** From the outcome of a call until its answer is written: Cap'n Web sends it when the caller's pull has arrived. */
const settleMs = 20;

/** What has not ended by itself this long after the server began to close is ended. */
const patienceMs = 500;

export type RpcServerParts<C extends Contract> = {
  readonly socketPath: string;
  readonly process: ProcessName;
  readonly release: string;
  readonly contract: C;
  readonly implementation: Omit<Implementation<C>, "hello">;
  readonly logger: Logger;
  /** Plain HTTP on the same socket: returns false for a path that it does not serve. */
  readonly http?: (request: IncomingMessage, response: ServerResponse) => boolean;
};

/** A listening process socket. Disposing it answers what is under way, closes every connection and removes the socket file. */
export type RpcServer = AsyncDisposable & { readonly startedAt: string; connections(): number };

/**
 * Listens on a Unix socket that its owner alone may open, and answers one contract over Cap'n Web. Disposing it
 * gives calls under way 500 ms for their answers.
 *
 * A socket file left by a dead process is replaced. Throws {@link RpcError} `socket_in_use` when a live one
 * listens there.
 */
export async function serveRpc<C extends Contract>(parts: RpcServerParts<C>): Promise<RpcServer> {
  await removeStaleSocket(parts.socketPath);
  const startedAt = new Date().toISOString();
  const implementation = {
    ...parts.implementation,
    hello: (input: { contract: string; versions: number[] }) => greet(parts, startedAt, input),
  };
  const underWay = new Set<Promise<unknown>>();
  const target = targetClass(parts.contract.methods, implementation, parts.logger, underWay);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  // A body may take as long as it takes to come; how long it may stall is for whoever reads it to say.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    try {
      if (parts.http?.(request, response) === true) return;
      response.writeHead(404, { "content-type": "text/plain" }).end("Nothing is served here.\n");
    } catch (error) {
      parts.logger.error({ err: error, method: request.method }, "a request could not be served");
      response.destroy();
    }
  });
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== rpcPath) return void socket.destroy();
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", (error) => parts.logger.warn({ error: error.message }, "rpc connection failed"));
      newWebSocketRpcSession(webSocket as unknown as globalThis.WebSocket, new target(), {
        limits: { maxMessageSize: maxMessageBytes, maxDepth: 64 },
      });
    });
  });
  await listen(server, parts.socketPath);
  return {
    startedAt,
    connections: () => sockets.clients.size,
    [Symbol.asyncDispose]: async () => {
      if (sockets.clients.size > 0) await answered(underWay);
      await close(server, sockets, parts.socketPath);
    },
  };
}

function greet<C extends Contract>(
  parts: RpcServerParts<C>,
  startedAt: string,
  input: { contract: string; versions: number[] },
) {
  const { contract } = parts;
  const common = contract.versions.filter((version) => input.versions.includes(version));
  if (input.contract !== contract.name || common.length === 0) {
    throw new RpcError(
      "version_unsupported",
      `this process speaks ${contract.name} ${contract.versions.join(", ")}, the caller asked for ${input.contract} ${input.versions.join(", ")}`,
    );
  }
  return {
    contract: contract.name,
    version: Math.max(...common),
    process: parts.process,
    release: parts.release,
    pid: process.pid,
    startedAt,
  };
}

/** Cap'n Web exposes the methods of a target's prototype and nothing else: one is built per contract. */
function targetClass(
  methods: Methods,
  implementation: Readonly<Record<string, unknown>>,
  logger: Logger,
  underWay: Set<Promise<unknown>>,
): new () => RpcTarget {
  class ContractTarget extends RpcTarget {}
  for (const [name, method] of Object.entries(methods)) {
    const run = implementation[name] as (input: unknown) => unknown;
    Object.defineProperty(ContractTarget.prototype, name, {
      value: (input: unknown) => {
        const fault = (error: unknown) => logger.error({ method: name, err: error }, "rpc call failed");
        const call = answer(method, run, input, fault);
        underWay.add(call);
        void call.finally(() => underWay.delete(call));
        return call;
      },
    });
  }
  return ContractTarget;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "EADDRINUSE" ? "another process listens there" : error.message;
      reject(new RpcError("socket_in_use", `cannot listen on ${path}: ${reason}`, { cause: error }));
    });
    const mask = process.umask(0o177); // the socket must never be open to others, not even for a moment
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
    process.umask(mask);
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe: Socket = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EAGAIN"));
  });
  if (alive) throw new RpcError("socket_in_use", `another process listens on ${path}`);
  rmSync(path, { force: true });
}

/** Calls that are about to be answered, such as the one that ended the process, are: then it goes on. */
async function answered(underWay: ReadonlySet<Promise<unknown>>): Promise<void> {
  await Promise.race([Promise.all(underWay), sleep(patienceMs, undefined, { ref: false })]);
  await sleep(settleMs);
}

async function close(server: Server, sockets: WebSocketServer, path: string): Promise<void> {
  const clients: Iterable<WebSocket> = sockets.clients;
  for (const client of clients) client.close(1001);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const timer = setTimeout(() => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
  }, patienceMs);
  server.closeIdleConnections();
  await closed;
  clearTimeout(timer);
  rmSync(path, { force: true });
}
