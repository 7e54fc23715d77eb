import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { ForwardedHeaders } from "../service.ts";
import type { OperationParts, Operations } from "./operations.ts";
import { type Refusal, refusalError, refuse } from "./refusal.ts";
import { subprotocol } from "./socket-message.ts";
import { SocketSession } from "./socket-session.ts";

export type SocketEdgeParts = OperationParts & {
  readonly path: string;
  readonly operations: Operations;
  readonly forward: (headers: IncomingMessage["headers"]) => ForwardedHeaders;
};

/** Probes are spread over so many moments: ten thousand at once would hold the thread up. */
const turns = 16;

/** The WebSocket side of the gateway: GraphQL over WebSocket, in the subprotocol `graphql-transport-ws`. */
export class SocketEdge implements Disposable {
  readonly #parts: SocketEdgeParts;
  readonly #server: WebSocketServer;
  /** Sessions by the turn in which they are probed. */
  readonly #sessions = Array.from({ length: turns }, () => new Set<SocketSession>());
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #opened = 0;
  #turn = 0;

  constructor(parts: SocketEdgeParts) {
    this.#parts = parts;
    const { maxBodyBytes, subscriptions } = parts.options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxBodyBytes,
      handleProtocols: () => subprotocol,
    });
    this.#timer = setInterval(() => this.#probe(), subscriptions.keepAliveMs / turns).unref();
    parts.draining.addEventListener("abort", () => {
      for (const sessions of this.#sessions) for (const session of sessions) session.drain();
    });
  }

  /** WebSockets that are open. */
  get count(): number {
    return this.#count;
  }

  /** Takes over the connection of an upgrade request, or answers why not. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== null) {
      endWith(socket, refusal);
      return;
    }
    const forwarded = this.#parts.forward(request.headers);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const { operations, generations, events, options } = this.#parts;
      const { maxBufferedBytes } = options.subscriptions;
      const parts = { operations, generations, events, maxBufferedBytes, ...options.websocket };
      const session = new SocketSession(parts, webSocket, forwarded);
      const sessions = this.#sessions[this.#opened % turns] ?? new Set();
      this.#opened += 1;
      this.#count += 1;
      sessions.add(session);
      webSocket.on("close", () => {
        this.#count -= 1;
        sessions.delete(session);
      });
    });
  }

  /** Closes all. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const sessions of this.#sessions) for (const session of sessions) session.terminate();
  }

  #refusalOf(request: IncomingMessage): Refusal | null {
    const { path, draining, options } = this.#parts;
    const { headers, url = "/" } = request;
    if (url.split("?")[0] !== path) {
      return refuse(404, refusalError("NOT_FOUND", `The GraphQL endpoint is ${path}.`));
    }
    if (draining.aborted) {
      return refuse(503, refusalError("DRAINING", "The gateway is shutting down; try again."));
    }
    if (this.#count >= options.websocket.maxSockets) {
      const message = `More than ${options.websocket.maxSockets} WebSockets are not taken at a time; try again.`;
      return refuse(503, refusalError("TOO_MANY_SOCKETS", message));
    }
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (!offered.includes(subprotocol)) {
      const message = `The WebSocket's subprotocol must be ${subprotocol}.`;
      return refuse(400, refusalError("BAD_REQUEST", message));
    }
    if (isAllowed(headers, options.websocket.origins)) return null;
    return refuse(
      403,
      refusalError("ORIGIN_NOT_ALLOWED", "Pages of this origin may not open WebSockets here."),
    );
  }

  #probe(): void {
    this.#turn = (this.#turn + 1) % turns;
    for (const session of this.#sessions[this.#turn] ?? []) session.probe();
  }
}

/** A page elsewhere could use the cookies that a browser has for this host: browsers ask nobody before they connect. */
function isAllowed({ origin, host }: IncomingMessage["headers"], allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function endWith(socket: Duplex, { status, error, headers }: Refusal): void {
  const body = JSON.stringify({ errors: [error] });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "connection: close",
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  socket.on("error", () => undefined);
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
