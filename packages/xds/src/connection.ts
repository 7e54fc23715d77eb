import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type DiscoveryRequest, decodeRequest, encodeResponse, type Protocol } from "./discovery.ts";
import type { ProxyIdentity, XdsEvents } from "./events.ts";
import type { XdsLimits } from "./options.ts";
import type { Published } from "./published.ts";
import type { TypeTable } from "./resource-type.ts";
import { type ProxyStatus, type QuarantinedResource, quarantineOf, typesOf } from "./status.ts";
import { createStream, isSettled, type Stream, type StreamEvent, step } from "./stream.ts";
import type { CloseReason, Effect } from "./subscription.ts";

type Call = ServerDuplexStream<Buffer, Buffer>;

/** What a connection gets from its server. */
export type ConnectionContext = {
  readonly limits: XdsLimits;
  readonly identifier: string;
  readonly types: TypeTable;
  readonly events: XdsEvents;
  readonly clock: () => number;
  readonly keyOf: (node: string) => string;
  /** Looks up or creates what is published under a key, and counts the connection in. */
  readonly join: (key: string, connection: Connection) => Published;
  readonly leave: (connection: Connection) => void;
  /** Something was settled or lost. */
  readonly progressed: () => void;
};

const closeTexts: Record<CloseReason, readonly [status, string]> = {
  ack_timeout: [status.DEADLINE_EXCEEDED, "a response was not acknowledged in time"],
  too_many_names: [status.RESOURCE_EXHAUSTED, "too many names are subscribed to on one stream"],
  too_many_types: [status.INVALID_ARGUMENT, "too many types are subscribed to on one stream"],
};

/** One aggregated stream of one client: carries what the state machine of the stream asks for over gRPC. */
export class Connection {
  readonly #call: Call;
  readonly #context: ConnectionContext;
  readonly #stream: Stream;
  readonly #since: number;
  #joined: { readonly proxy: ProxyIdentity; readonly published: Published } | undefined;
  #buffered = 0;
  #ended = false;

  constructor(call: Call, protocol: Protocol, context: ConnectionContext) {
    this.#call = call;
    this.#context = context;
    this.#since = context.clock();
    this.#stream = createStream(protocol, context.types, context.limits, this.#since);
    call.on("data", (bytes: Buffer) => this.#read(bytes));
    call.on("end", () => this.end(status.OK, "the client ended the stream"));
    call.on("cancelled", () => this.#leave("the client is gone"));
    call.on("error", () => this.#leave("the stream failed"));
  }

  get node(): string {
    return this.#joined?.proxy.node ?? "";
  }

  get key(): string | undefined {
    return this.#joined?.proxy.key;
  }

  /** Takes an event in and does what comes of it. */
  take(event: StreamEvent): void {
    if (!this.#joined || this.#ended) return;
    const { published } = this.#joined;
    for (const effect of step(this.#stream, event, published, this.#context.clock())) this.#perform(effect);
    if (event.kind !== "published") this.#context.progressed();
  }

  isSettled(revision: number): boolean {
    const published = this.#joined?.published;
    return !published || isSettled(this.#stream, revision, published, this.#context.clock());
  }

  status(): ProxyStatus | undefined {
    if (!this.#joined) return undefined;
    return {
      ...this.#joined.proxy,
      peer: this.#call.getPeer(),
      protocol: this.#stream.protocol,
      connectedSince: new Date(this.#since).toISOString(),
      types: typesOf(this.#stream),
    };
  }

  quarantined(): QuarantinedResource[] {
    return quarantineOf(this.node, this.#stream);
  }

  /** Ends the stream with a gRPC status. */
  end(code: status, reason: string): void {
    if (this.#ended) return;
    this.#leave(reason);
    if (code === status.OK) this.#call.end();
    else this.#call.emit("error", { code, details: reason });
  }

  #leave(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#context.leave(this);
    if (this.#joined) this.#context.events.onDisconnected?.(this.#joined.proxy, reason);
    this.#context.progressed();
  }

  #read(bytes: Buffer): void {
    if (this.#ended) return;
    const request = this.#decode(bytes);
    const fault = this.#faultOf(request);
    if (!request || fault) {
      this.end(status.INVALID_ARGUMENT, fault ?? "");
      return;
    }
    if (!this.#joined) this.#join(request.node ?? "");
    this.take({ kind: "request", request });
  }

  #faultOf(request: DiscoveryRequest | undefined): string | undefined {
    if (!request) return "the request is malformed";
    if (request.type === "") return "the request names no type";
    return this.#joined || request.node ? undefined : "the first request names no node";
  }

  #decode(bytes: Buffer): DiscoveryRequest | undefined {
    try {
      return decodeRequest(this.#stream.protocol, bytes);
    } catch {
      return undefined;
    }
  }

  #join(node: string): void {
    const key = this.#context.keyOf(node);
    const proxy = { node, key };
    this.#joined = { proxy, published: this.#context.join(key, this) };
    this.#context.events.onConnected?.(proxy);
  }

  #perform(effect: Effect): void {
    if (!this.#joined) return;
    const { proxy, published } = this.#joined;
    const { events } = this.#context;
    switch (effect.kind) {
      case "send":
        this.#send(effect);
        break;
      case "close":
        this.end(...closeTexts[effect.reason]);
        break;
      case "rejected":
        events.onRejected?.(proxy, effect);
        break;
      case "quarantined": {
        const { type, name, cause } = effect;
        events.onQuarantined?.(proxy, { type, name, version: cause.version, message: cause.message });
        break;
      }
      case "acknowledged": {
        published.note(effect);
        const { type, upsert, removed } = effect;
        events.onAcknowledged?.(proxy, { type, upsert: upsert.map(({ resource }) => resource), removed });
      }
    }
  }

  #send(effect: Effect & { readonly kind: "send" }): void {
    if (this.#ended) return;
    const bytes = encodeResponse(this.#stream.protocol, effect, this.#context.identifier);
    if (this.#buffered > 0 && this.#buffered + bytes.length > this.#context.limits.maxBufferedBytes) {
      this.end(status.RESOURCE_EXHAUSTED, "the client does not read fast enough");
      return;
    }
    this.#buffered += bytes.length;
    this.#call.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), () => {
      this.#buffered -= bytes.length;
    });
  }
}
