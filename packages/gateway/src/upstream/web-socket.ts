import type { IncomingMessage } from "node:http";
import type { ExecutionResult } from "graphql";
import { WebSocket } from "ws";
import type { GatewayError } from "../errors.ts";
import { whenAborted } from "./abort-signal.ts";
import { checkAnswer, isObject, parseJson } from "./answer.ts";
import type { Message } from "./exchange.ts";
import { type Bounds, brokenOff, type Opening, type Results, refusalOf } from "./subscription.ts";
import { cancelled, type Failed, failureOf, judge, type Subject, timedOut } from "./verdict.ts";

/** The words of a subprotocol for the same things. */
type Subprotocol = { readonly subscribe: string; readonly next: string; readonly stop: string };

/** The subprotocols that are offered: GraphQL over WebSocket, and the one before it, which some services still speak. */
const subprotocols: Readonly<Record<string, Subprotocol>> = {
  "graphql-transport-ws": { subscribe: "subscribe", next: "next", stop: "complete" },
  "graphql-ws": { subscribe: "start", next: "data", stop: "stop" },
};

/** The only operation of its connection. */
const id = "1";
/** Results that wait for their reader before the service is slowed down. */
const maxWaiting = 16;
/** How often a quiet connection is asked for a sign of life; one that does not answer until the next time is dead. */
const defaultPingMs = 30_000;
/** How long a service may take to close the connection. */
const closeTimeoutMs = 1_000;
/** Answers to pings, in bytes, that may wait for a service to read them: 3,000, each costing more than its bytes. */
const maxUnreadBytes = 64 * 1024;
/** What is read of an answer that refuses the upgrade. */
const maxRefusalBytes = 64 * 1024;

/** A subscription over a WebSocket of its own. */
export async function openWebSocket(
  origin: string,
  subject: Subject,
  message: Message,
  bounds: Bounds & { readonly pingMs?: number },
): Promise<Opening> {
  const subscription = new SocketSubscription(origin, subject, message, bounds);
  const failed = await subscription.acknowledged;
  bounds.deadline.listen(null);
  return failed ?? { results: subscription.results() };
}

class SocketSubscription {
  /** Null when the service has acknowledged the connection; settles in any case. */
  readonly acknowledged: Promise<Failed | null>;
  readonly #subject: Subject;
  readonly #bounds: Bounds;
  readonly #body: string;
  readonly #socket: WebSocket;
  readonly #ping: NodeJS.Timeout;
  readonly #unlisten: () => void;
  readonly #waiting: ExecutionResult[] = [];
  #begin: (failed: Failed | null) => void = () => undefined;
  #wake: () => void = () => undefined;
  /** Null while results may come; then the failure that ended it, or `done`. */
  #over: GatewayError | "done" | null = null;
  #alive = true;
  /** Bytes of the operation, once it was sent; null before. */
  #subscribed: number | null = null;
  /** The service has said its last word. */
  #complete = false;

  constructor(
    origin: string,
    subject: Subject,
    { path, headers, body }: Message,
    bounds: Bounds & { readonly pingMs?: number },
  ) {
    this.#subject = subject;
    this.#bounds = bounds;
    this.#body = body;
    this.acknowledged = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#socket = new WebSocket(`${origin}${path}`, Object.keys(subprotocols), {
      headers: upgradeHeaders(headers),
      maxPayload: bounds.maxBytes,
      perMessageDeflate: false,
    });
    this.#unlisten = whenAborted(bounds.signal, () => this.#fail(cancelled(subject)));
    bounds.deadline.listen(() => this.#fail(timedOut(subject)));
    this.#ping = setInterval(() => this.#checkAlive(), bounds.pingMs ?? defaultPingMs);
    this.#listen();
  }

  /** What the service sends. It is slowed down while this is not read. */
  async *results(): Results {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (this.#socket.isPaused && this.#waiting.length === 0) this.#socket.resume();
        if (next !== undefined) yield next;
        else if (this.#over !== null) break;
        else await this.#arrival();
      }
    } finally {
      this.#leave();
    }
    if (this.#over !== "done" && !this.#bounds.signal.aborted) throw this.#over;
  }

  async #arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("open", () => socket.send(`{"type":"connection_init"}`));
    socket.on("message", (data) => this.#receive(data.toString()));
    socket.on("pong", () => {
      this.#alive = true;
    });
    socket.on("unexpected-response", (_, response) => void this.#refused(response));
    socket.on("error", (error) => {
      const tooLong = "code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
      this.#fail(tooLong ? this.#tooLong() : brokenOff(this.#subject, error, socket.protocol !== ""));
    });
    socket.on("close", (code, reason) => {
      const detail = `closed with ${code}${reason.length === 0 ? "" : `: ${reason.toString()}`}`;
      const message = "ended the subscription without completing it";
      const failure = failureOf("service_unavailable", this.#subject, message, { detail });
      this.#fail({ failure, fault: "service", again: "nothing" });
    });
  }

  #receive(text: string): void {
    this.#alive = true;
    if (this.#over !== null) return;
    const message = parseJson(text);
    const subprotocol = subprotocols[this.#socket.protocol];
    if (isObject(message) && subprotocol !== undefined)
      this.#handle(subprotocol, message["type"], message["payload"]);
    else this.#protocolError();
  }

  #handle(subprotocol: Subprotocol, type: unknown, payload: unknown): void {
    switch (type) {
      case "connection_ack":
        this.#subscribe(subprotocol);
        break;
      case "ping":
        this.#socket.send(`{"type":"pong"}`);
        this.#checkRead();
        break;
      case subprotocol.next:
        this.#take(payload);
        break;
      case "error":
        // In the older subprotocol this is a single one.
        this.#take({ errors: [payload].flat() });
        this.#complete = true;
        this.#end("done");
        break;
      case "complete":
        this.#complete = true;
        this.#end("done");
        break;
      case "connection_error":
        this.#protocolError();
    }
  }

  /** Once: a service that acknowledges again would have it sent, and held here, as often as it likes. */
  #subscribe(subprotocol: Subprotocol): void {
    if (this.#subscribed !== null) {
      this.#protocolError();
      return;
    }
    const operation = Buffer.from(`{"id":"${id}","type":"${subprotocol.subscribe}","payload":${this.#body}}`);
    this.#subscribed = operation.length;
    this.#socket.send(operation, { binary: false });
    this.#begin(null);
  }

  /** A service that asks for answers must read them. Of answers to pings of WebSocket's own, `ws` bounds the number. */
  #checkRead(): void {
    if (this.#socket.bufferedAmount <= maxUnreadBytes + (this.#subscribed ?? 0)) return;
    const message = "does not read the answers to its pings";
    const failure = failureOf("service_bad_response", this.#subject, message);
    this.#fail({ failure, fault: "content", again: "nothing" });
  }

  #take(payload: unknown): void {
    const result = checkAnswer(this.#subject.target.name, payload);
    if (result === null) {
      this.#protocolError();
      return;
    }
    this.#waiting.push(result);
    if (this.#waiting.length >= maxWaiting) this.#socket.pause();
    this.#wake();
  }

  #protocolError(): void {
    const message = `answered the ${this.#subject.label} with something that is not GraphQL`;
    const failure = failureOf("service_bad_response", this.#subject, message);
    this.#fail({ failure, fault: "content", again: "nothing" });
  }

  #tooLong(): Failed {
    return judge(this.#subject, { kind: "too_long" }, this.#bounds.maxBytes, null) as Failed;
  }

  /** The upgrade was answered with something else: by Envoy, or by a service that speaks no WebSocket. */
  async #refused(response: IncomingMessage): Promise<void> {
    const { statusCode = 0, headers } = response;
    try {
      this.#fail(await refusalOf(this.#subject, { statusCode, headers, body: response }, maxRefusalBytes));
    } catch (cause) {
      this.#fail(brokenOff(this.#subject, cause, true));
    }
  }

  #checkAlive(): void {
    // What is not read hides the signs of life as well.
    if (this.#socket.isPaused || this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#alive) {
      this.#alive = false;
      this.#socket.ping();
      return;
    }
    const cause = Object.assign(new Error("no sign of life"), { code: "ETIMEDOUT" });
    this.#fail(brokenOff(this.#subject, cause, true));
  }

  #fail(failed: Failed): void {
    this.#begin(failed);
    this.#end(failed.failure);
  }

  #end(over: GatewayError | "done"): void {
    if (this.#over !== null) return;
    this.#over = over;
    this.#leave();
    this.#wake();
  }

  #leave(): void {
    const socket = this.#socket;
    clearInterval(this.#ping);
    this.#unlisten();
    if (socket.readyState === WebSocket.CLOSED || socket.readyState === WebSocket.CLOSING) return;
    const stop = subprotocols[socket.protocol]?.stop;
    if (!this.#complete && stop !== undefined) socket.send(`{"id":"${id}","type":"${stop}"}`);
    this.#over ??= "done";
    socket.resume();
    socket.close(1000);
    setTimeout(() => socket.terminate(), closeTimeoutMs).unref();
  }
}

/** As a record, and without those of a request with a body. */
function upgradeHeaders(headers: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2) {
    const [name = "", value = ""] = [headers[at], headers[at + 1]];
    if (!/^(?:content-|accept)/.test(name) || name === "accept-language") kept[name] = value;
  }
  return kept;
}
