import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectPlain } from "node:net";
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
  #connection: Connection | null = null;

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
    if (this.#connection === null || this.#connection.isOver)
      this.#connection = new Connection(this.#star, this.#identity);
    return new StreamingCall(this.#connection, { path, request, headers }, listener);
  }

  /** Ends what is under way, too. */
  close(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }
}

type Answer = IncomingHttpHeaders & { readonly ":status"?: number | undefined };

class Connection {
  readonly #session: ClientHttp2Session;
  #isOver = false;
  #heardAt = performance.now();

  constructor({ isSecure, host, port }: StarUrl, identity: TlsIdentity) {
    const name = host.includes(":") ? `[${host}]` : host;
    this.#session = connect(`${isSecure ? "https" : "http"}://${name}:${port}`, {
      createConnection: () =>
        isSecure
          ? connectTls({ ...identity.connectionOptions(host), port })
          : connectPlain({ host, port, noDelay: true }),
      settings: { enablePush: false, initialWindowSize: windowBytes },
      // What is under way is bounded by the windows of the streams.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    this.#session.on("connect", () => this.#session.setLocalWindowSize(windowBytes));
    this.#session.on("error", () => undefined); // Its streams are told.
    for (const event of ["goaway", "close"] as const) {
      this.#session.on(event, () => {
        this.#isOver = true;
      });
    }
  }

  /** Whether no call can begin over it any more. */
  get isOver(): boolean {
    return this.#isOver || this.#session.closed || this.#session.destroyed;
  }

  get isDestroyed(): boolean {
    return this.#session.destroyed;
  }

  request(path: string, headers: Readonly<Record<string, string>>): ClientHttp2Stream {
    return this.#session.request({
      ":method": "POST",
      ":path": path,
      te: "trailers",
      "content-type": "application/grpc+proto",
      "grpc-accept-encoding": "identity",
      ...headers,
    });
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Somebody gave up a call: where nothing came of any other one either, the next call gets another connection. */
  givenUp(): void {
    if (performance.now() - this.#heardAt < deadAfterMs) return;
    this.#isOver = true;
    this.#session.close();
  }

  destroy(): void {
    this.#isOver = true;
    this.#session.destroy();
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
    this.#connection.givenUp();
  }

  #receive(bytes: Buffer): void {
    this.#connection.heard();
    // What is no answer of gRPC has no messages: its status tells.
    if (this.#hasEnded || !isAnswer(this.#answer)) return;
    try {
      this.#cutter.push(bytes);
    } catch (error) {
      if (!(error instanceof StarError)) throw error;
      this.cancel(status.INTERNAL, error.message);
    }
  }

  #close(): void {
    if (this.#hasEnded) return;
    const said = this.#trailers["grpc-status"] ?? this.#answer["grpc-status"];
    if (said !== undefined) {
      const words = this.#trailers["grpc-message"] ?? this.#answer["grpc-message"] ?? "";
      const code = codeOf(String(said));
      if (code === status.OK && this.#cutter.isInside)
        this.#end(status.INTERNAL, "the answer ends inside of a message");
      else this.#end(code, percentDecoded(String(words)));
    } else if (this.#connection.isDestroyed) this.#end(status.UNAVAILABLE, `no connection: ${this.#failure}`);
    else if (this.#answer[":status"] !== undefined && !isAnswer(this.#answer)) {
      const { ":status": answered, "content-type": type = "of no type" } = this.#answer;
      this.#end(httpCodes[answered ?? 0] ?? status.UNKNOWN, `no answer of gRPC: HTTP ${answered}, ${type}`);
    } else {
      const { rstCode } = this.#stream;
      this.#end(resetCodes[rstCode] ?? status.INTERNAL, `the stream was reset with ${rstCode}`);
    }
  }

  #end(code: status, details: string): void {
    this.#hasEnded = true;
    this.#listener.onEnd(code, details);
  }
}

function isAnswer(answer: Answer): boolean {
  return answer[":status"] === 200 && (answer["content-type"] ?? "").startsWith("application/grpc");
}

function codeOf(text: string): status {
  const code = Number(text);
  return Number.isInteger(code) && status[code] !== undefined ? code : status.UNKNOWN;
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
