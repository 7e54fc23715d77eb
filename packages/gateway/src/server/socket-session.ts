import { randomUUID } from "node:crypto";
import type { GraphQLError } from "graphql";
import type { WebSocket } from "ws";
import type { OperationResult, ResultStream } from "../engine/engine.ts";
import { writeResult } from "../engine/json-text.ts";
import type { GatewayEvents } from "../events.ts";
import type { Generations } from "../generation.ts";
import type { ForwardedHeaders } from "../service.ts";
import { gatewayFailed } from "./error-mask.ts";
import type { GraphQLParams } from "./graphql-params.ts";
import { type Admission, type Caller, isStream, type Operations, outcomeOf } from "./operations.ts";
import { refusalError } from "./refusal.ts";
import { type ClientMessage, closeCodes, readClientMessage } from "./socket-message.ts";

export type SessionParts = {
  readonly operations: Operations;
  readonly generations: Generations;
  readonly events: GatewayEvents;
  /** Operations at a time. */
  readonly maxOperations: number;
  readonly maxBufferedBytes: number;
  readonly initTimeoutMs: number;
};

type Running = Caller & { stream: ResultStream | null };

/**
 * One client's WebSocket, over which it runs operations (`graphql-transport-ws`). The headers of its upgrade request
 * stand for it; what it sends with `connection_init` is no credential and is not looked at.
 */
export class SocketSession {
  readonly #parts: SessionParts;
  readonly #socket: WebSocket;
  readonly #forwarded: ForwardedHeaders;
  readonly #running = new Map<string, Running>();
  #initTimer: NodeJS.Timeout | null;
  #acknowledged = false;
  #draining = false;
  #answered = true;

  constructor(parts: SessionParts, socket: WebSocket, forwarded: ForwardedHeaders) {
    this.#parts = parts;
    this.#socket = socket;
    this.#forwarded = forwarded;
    const late = () => socket.close(closeCodes.initTimeout, "Connection initialisation timeout");
    this.#initTimer = setTimeout(late, parts.initTimeoutMs);
    socket.on("message", (data, binary) => this.#receive(binary ? null : String(data)));
    socket.on("pong", () => {
      this.#answered = true;
    });
    // What breaks a connection closes it, too.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#leave());
  }

  /** Asks the client for a sign of life; cuts it off when it has not answered the last time. */
  probe(): void {
    if (!this.#answered) {
      this.#socket.terminate();
      return;
    }
    this.#answered = false;
    this.#socket.ping();
  }

  /** Closes the socket as soon as no operation runs. */
  drain(): void {
    this.#draining = true;
    if (this.#running.size === 0) this.#socket.close(closeCodes.goingAway, "The gateway is shutting down");
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(text: string | null): void {
    const message = text === null ? "A message must be text." : readClientMessage(text);
    if (typeof message === "string") this.#socket.close(closeCodes.invalidMessage, message);
    else this.#take(message);
  }

  #take(message: ClientMessage): void {
    if (message.type === "connection_init") this.#acknowledge();
    else if (message.type === "ping") this.#send({ type: "pong" });
    else if (message.type === "complete") this.#stop(message.id);
    else if (message.type === "subscribe") this.#begin(message.id, message.params);
  }

  #acknowledge(): void {
    if (this.#initTimer === null) {
      this.#socket.close(closeCodes.tooManyInits, "Too many initialisation requests");
      return;
    }
    clearTimeout(this.#initTimer);
    this.#initTimer = null;
    this.#acknowledged = true;
    this.#send({ type: "connection_ack" });
  }

  #begin(id: string, params: GraphQLParams): void {
    const { maxOperations, events } = this.#parts;
    if (!this.#acknowledged) {
      this.#socket.close(closeCodes.unauthorized, "Unauthorized");
      return;
    }
    if (this.#running.has(id)) {
      this.#socket.close(closeCodes.duplicateId, `Subscriber for ${id.slice(0, 60)} already exists`);
      return;
    }
    const requestId = randomUUID();
    const running: Running = {
      requestId,
      forwarded: this.#forwarded,
      gone: false,
      onGone: null,
      stream: null,
    };
    if (this.#running.size >= maxOperations) {
      const message = `More than ${maxOperations} operations run on this WebSocket: complete one first.`;
      this.#fail(id, running, [refusalError("TOO_MANY_OPERATIONS", message)]);
      return;
    }
    this.#running.set(id, running);
    void this.#run(id, params, running)
      .catch((error: unknown) => {
        events.internalError(requestId, error);
        this.#fail(id, running, [refusalError("INTERNAL_SERVER_ERROR", gatewayFailed)]);
      })
      .finally(() => this.#ended(id, running));
  }

  async #run(id: string, params: GraphQLParams, running: Running): Promise<void> {
    const { operations, generations } = this.#parts;
    const started = performance.now();
    const generation = generations.current;
    if (this.#draining)
      return this.#fail(id, running, [refusalError("DRAINING", "The gateway is shutting down.")]);
    if (generation === null) {
      return this.#fail(id, running, [refusalError("NO_SERVICE", "No GraphQL service is served.")]);
    }
    const admission = operations.admit(params, generation);
    const answer = await operations.run(admission, generation, running);
    this.#log(running, admission, answer, started, generation.number);
    if (!isStream(answer)) {
      if (answer.data === undefined) return this.#fail(id, running, answer.errors ?? []);
      this.#next(id, running, answer);
    } else {
      running.stream = answer;
      if (running.gone) await answer.return?.();
      for await (const result of answer) this.#next(id, running, result);
    }
    if (!running.gone) this.#send({ type: "complete", id });
  }

  #next(id: string, running: Running, payload: OperationResult): void {
    if (!running.gone)
      this.#write(`{"type":"next","id":${JSON.stringify(id)},"payload":${writeResult(payload)}}`);
  }

  #fail(id: string, running: Running, payload: readonly GraphQLError[]): void {
    if (!running.gone) this.#send({ type: "error", id, payload });
    running.gone = true;
  }

  #stop(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    running.gone = true;
    running.onGone?.();
    void running.stream?.return?.();
  }

  #ended(id: string, running: Running): void {
    // Its id may be that of another operation by now.
    if (this.#running.get(id) === running) this.#running.delete(id);
    if (this.#draining) this.drain();
  }

  #leave(): void {
    if (this.#initTimer !== null) clearTimeout(this.#initTimer);
    for (const id of [...this.#running.keys()]) this.#stop(id);
  }

  #send(message: object): void {
    this.#write(JSON.stringify(message));
  }

  #write(message: string): void {
    const { maxBufferedBytes, events } = this.#parts;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(message);
    if (this.#socket.bufferedAmount <= maxBufferedBytes) return;
    events.slowReader(randomUUID(), this.#socket.bufferedAmount);
    this.#socket.terminate();
  }

  #log(
    { requestId }: Running,
    admission: Admission,
    answer: ResultStream | OperationResult,
    started: number,
    generation: number,
  ): void {
    this.#parts.events.request({
      requestId,
      operationName: admission.operation?.name ?? null,
      operationType: admission.operation?.type ?? null,
      outcome: outcomeOf(admission, answer),
      status: 101,
      durationMs: performance.now() - started,
      generation,
    });
  }
}
