import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import type { TlsIdentity } from "./credentials.ts";
import { MessageCutter, type OnPiece } from "./message-cutter.ts";
import type { StarUrl } from "./star-url.ts";

/** Who is told what comes of a call. */
export type Listener = {
  /** Throws StarError where the message cannot be read: the call then ends with INTERNAL. */
  readonly onPiece: OnPiece;
  /** Once, and after it nothing more. */
  readonly onEnd: (code: status, details: string) => void;
};

/** A call whose answer is a stream. */
export type Call = {
  /** Takes nothing more from the connection, which holds the sender back, until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it, if it has not ended. */
  cancel(code: status, details: string): void;
};

/** So much of a stream may be on its way, in bytes: what the memory for a transfer and a long line have to agree on. */
const windowBytes = 512 * 1024;
/** The same where more calls than these share a connection, and a long line with it. */
const sharedWindowBytes = 128 * 1024;
const fewCalls = 8;
/** A connection on which nothing came for so long, in ms, is not used again when somebody gives up a call over it. */
const deadAfterMs = 5_000;

/**
 * A connection to a star for calls whose answers are streams, made when it is needed. It gives the bytes of messages as they come:
 * the general client joins them to a message and copies that, which for large files costs as much as all the rest of receiving.
 * gRPC's PROTOCOL-HTTP2; RFC 9113.
 */
export class StarChannel {
  readonly #star: StarUrl;
  readonly #identity: TlsIdentity;
  /** Those that are over, too, while calls go on over them. */
  readonly #connections = new Set<Connection>();

  constructor(star: StarUrl, identity: TlsIdentity) {
    this.#star = star;
    this.#identity = identity;
  }

  /** Sends a request, and listens to its answer. Where there is no connection the call ends with UNAVAILABLE. */
  call(
    path: string,
    request: Uint8Array,
    headers: Readonly<Record<string, string>>,
    listener: Listener,
  ): Call {
    const connection = this.#connections.values().find(({ isOver }) => !isOver) ?? this.#connect();
    return new StreamingCall(connection, { path, request, headers }, listener);
  }

  /** Ends what is under way, too. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #connect(): Connection {
    const made = new Connection(this.#star, this.#identity, () => this.#connections.delete(made));
    this.#connections.add(made);
    return made;
  }
}

type Answer = IncomingHttpHeaders & { readonly ":status"?: number | undefined };

class Connection {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  #isOver = false;
  #calls = 0;
  #windowBytes = windowBytes;
  #heardAt = performance.now();

  constructor({ isSecure, host, port }: StarUrl, identity: TlsIdentity, onClose: () => void) {
    const name = host.includes(":") ? `[${host}]` : host;
    this.#socket = isSecure
      ? connectTls({ ...identity.connectionOptions(host), port })
      : connectPlain({ host, port, noDelay: true });
    this.#session = connect(`${isSecure ? "https" : "http"}://${name}:${port}`, {
      createConnection: () => this.#socket,
      settings: { enablePush: false, initialWindowSize: windowBytes },
      // What is under way is bounded by the windows of the streams.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    this.#session.on("connect", () => {
      // It is told of a connection that came about while the session was destroyed, too.
      if (this.#session.destroyed) return;
      this.#session.setLocalWindowSize(windowBytes);
      if (this.isCrowded) this.#resize(sharedWindowBytes);
    });
    this.#session.on("error", () => undefined); // Its streams are told.
    this.#session.on("goaway", () => this.#leave());
    this.#session.on("close", onClose);
  }

  /** Whether no call can begin over it any more. */
  get isOver(): boolean {
    return this.#isOver || this.#session.closed || this.#session.destroyed;
  }

  /** Whether more than a few calls share it. */
  get isCrowded(): boolean {
    return this.#calls > fewCalls;
  }

  get isDestroyed(): boolean {
    return this.#session.destroyed;
  }

  request(path: string, headers: Readonly<Record<string, string>>): ClientHttp2Stream {
    const stream = this.#session.request({
      ":method": "POST",
      ":path": path,
      te: "trailers",
      "content-type": "application/grpc+proto",
      "grpc-accept-encoding": "identity",
      ...headers,
    });
    this.#calls += 1;
    if (this.isCrowded) this.#resize(sharedWindowBytes);
    return stream;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Somebody gave up a call: where nothing came of any other one either, the next call gets another connection. */
  givenUp(): void {
    if (performance.now() - this.#heardAt < deadAfterMs) return;
    this.#leave();
  }

  /** A call over it has ended. */
  released(): void {
    this.#calls -= 1;
    if (this.isOver) this.#leave();
    else if (this.#calls <= fewCalls / 2) this.#resize(windowBytes);
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy(); // A session that has ended by itself waits for the other end.
  }

  /** Of all of its streams, those that are under way too: RFC 9113 §6.9.2. */
  #resize(bytes: number): void {
    if (this.#windowBytes === bytes || this.#session.connecting) return;
    this.#windowBytes = bytes;
    this.#session.settings({ initialWindowSize: bytes });
  }

  /** It ends with its last call: who says nothing any more would not answer its goodbye. */
  #leave(): void {
    this.#isOver = true;
    if (this.#calls === 0) this.destroy();
  }
}

class StreamingCall implements Call {
  readonly #connection: Connection;
  readonly #listener: Listener;
  readonly #stream: ClientHttp2Stream;
  readonly #cutter: MessageCutter;
  #answer: Answer = {};
  #trailers: IncomingHttpHeaders = {};
  /** Why the connection failed, as far as the system says. */
  #failure = "it was closed";
  #hasEnded = false;

  constructor(
    connection: Connection,
    {
      path,
      request,
      headers,
    }: {
      readonly path: string;
      readonly request: Uint8Array;
      readonly headers: Readonly<Record<string, string>>;
    },
    listener: Listener,
  ) {
    this.#connection = connection;
    this.#listener = listener;
    this.#cutter = new MessageCutter((bytes, isLast) => {
      if (!this.#hasEnded) listener.onPiece(bytes, isLast);
    });
    const stream = connection.request(path, headers);
    this.#stream = stream;
    stream.on("response", (answer) => {
      connection.heard();
      this.#answer = answer;
    });
    stream.on("data", (bytes: Buffer) => this.#receive(bytes));
    stream.on("trailers", (trailers: IncomingHttpHeaders) => {
      this.#trailers = trailers;
    });
    stream.on("error", ({ message, cause }) => {
      this.#failure = cause instanceof Error ? cause.message : message;
    });
    stream.on("close", () => this.#close());
    const head = Buffer.alloc(5);
    head.writeUInt32BE(request.length, 1);
    stream.end(Buffer.concat([head, request]));
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(code: status, details: string): void {
    if (this.#hasEnded) return;
    this.#end(code, details);
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#stream.resume(); // One that the star has ended is closed when all of it was taken.
    this.#connection.givenUp();
  }

  #receive(bytes: Buffer): void {
    this.#connection.heard();
    // What is no answer of gRPC has no messages: its status tells.
    if (this.#hasEnded || !isAnswer(this.#answer)) return;
    try {
      // Frames of several streams come in one piece of memory, which each of them that waits would keep.
      this.#cutter.push(this.#connection.isCrowded ? Buffer.from(bytes) : bytes);
    } catch (error) {
      if (!(error instanceof StarError)) throw error;
      this.cancel(status.INTERNAL, error.message);
    }
  }

  #close(): void {
    if (this.#hasEnded) return;
    const said = this.#trailers["grpc-status"] ?? this.#answer["grpc-status"];
    const code = said === undefined ? undefined : codeOf(String(said));
    // What came and was not taken yet is lost when the connection fails.
    const isWhole = this.#stream.readableEnded && isAnswer(this.#answer);
    if (code !== undefined && (code !== status.OK || isWhole)) {
      const words = this.#trailers["grpc-message"] ?? this.#answer["grpc-message"] ?? "";
      if (code === status.OK && this.#cutter.isInside)
        this.#end(status.INTERNAL, "the answer ends inside of a message");
      else this.#end(code, percentDecoded(String(words)));
    } else if (this.#connection.isDestroyed) this.#end(status.UNAVAILABLE, `no connection: ${this.#failure}`);
    else if (this.#answer[":status"] !== undefined && !isAnswer(this.#answer)) {
      const { ":status": answered, "content-type": type = "of no type" } = this.#answer;
      this.#end(httpCodes[answered ?? 0] ?? status.UNKNOWN, `no answer of gRPC: HTTP ${answered}, ${type}`);
    } else {
      const { rstCode } = this.#stream;
      const why = rstCode === 0 ? "the answer ends without a status" : `the stream was reset with ${rstCode}`;
      this.#end(resetCodes[rstCode] ?? status.INTERNAL, why);
    }
  }

  #end(code: status, details: string): void {
    this.#hasEnded = true;
    this.#connection.released();
    this.#listener.onEnd(code, details);
  }
}

function isAnswer(answer: Answer): boolean {
  return answer[":status"] === 200 && /^application\/grpc(?:[+;]|$)/.test(answer["content-type"] ?? "");
}

function codeOf(text: string): status {
  const code = Number(text);
  return /^\d+$/.test(text) && status[code] !== undefined ? code : status.UNKNOWN;
}

/** `Status-Message`: bytes of UTF-8, of which some are written as `%` and two hexadecimal digits; what is no such thing stays. */
function percentDecoded(text: string): string {
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** gRPC's `http-grpc-status-mapping`. */
const httpCodes: Readonly<Record<number, status>> = {
  400: status.INTERNAL,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.UNIMPLEMENTED,
  429: status.UNAVAILABLE,
  502: status.UNAVAILABLE,
  503: status.UNAVAILABLE,
  504: status.UNAVAILABLE,
};

/** gRPC's PROTOCOL-HTTP2, "Errors"; what is missing is INTERNAL. */
const resetCodes: Readonly<Record<number, status>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: status.UNAVAILABLE,
  [constants.NGHTTP2_CANCEL]: status.CANCELLED,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: status.RESOURCE_EXHAUSTED,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: status.PERMISSION_DENIED,
};
