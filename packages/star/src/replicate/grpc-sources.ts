import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Channel, Metadata, status } from "@grpc/grpc-js";
import { ReadStreamRequestSchema, ReadStreamResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { TlsIdentity } from "../connection/credentials.ts";
import { diagnose } from "../connection/diagnosis.ts";
import { parseStarUrl, type StarUrl } from "../connection/star-url.ts";
import type { StarError } from "../errors.ts";
import { starService } from "../service.ts";
import { GrpcBatch } from "./grpc-batch.ts";
import {
  type AskedRange,
  inTurns,
  type SourceAddress,
  type SourceMessage,
  type SourceProvider,
  type SourceStream,
  sourceError,
} from "./source.ts";

export type GrpcSourcesOptions = {
  /** How `https` sources are met; default: with the authorities that Node knows, and no certificate of our own. */
  readonly identity?: TlsIdentity;
  /** Connections that are kept; default 64. The one that was used least lately goes first. */
  readonly most?: number;
};

/** So much of a stream may be on its way, in bytes: what the memory for a transfer and a long line have to agree on. */
const windowBytes = 512 * 1024;
/** So many messages are taken ahead of who reads them. */
const messagesAhead = 1;

type Call = ReturnType<Channel["createCall"]>;
type Listener = Parameters<Call["start"]>[1];
type Pooled = { readonly channel: Channel; users: number };

/** Sources over gRPC: one connection for each star, kept for the next file. */
export class GrpcSources implements SourceProvider {
  readonly #identity: TlsIdentity;
  readonly #most: number;
  /** In the order in which they were used last. */
  readonly #pool = new Map<string, Pooled>();

  constructor({ identity = new TlsIdentity(), most = 64 }: GrpcSourcesOptions = {}) {
    this.#identity = identity;
    this.#most = most;
  }

  open(source: SourceAddress, range: AskedRange): SourceStream {
    const { call, onEnd } = this.#call(source.url, starService.ReadStream.path);
    return new GrpcStream(call, source, range, { identity: this.#identity, onEnd });
  }

  openAll(url: string, files: readonly SourceAddress[]): readonly SourceStream[] {
    const { call, onEnd } = this.#call(url, starService.ReadFiles.path);
    const openAlone = (source: SourceAddress) => this.open(source, { offset: 0, length: 0 });
    return new GrpcBatch(call, files, openAlone, onEnd).streams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { channel } of this.#pool.values()) channel.close();
    this.#pool.clear();
  }

  #call(url: string, path: string): { readonly call: Call; readonly onEnd: () => void } {
    const pooled = this.#take(url);
    const onEnd = () => {
      pooled.users -= 1;
      this.#shrink();
    };
    return { call: pooled.channel.createCall(path, Number.POSITIVE_INFINITY, null, null, null), onEnd };
  }

  #take(url: string): Pooled {
    const star = parseStarUrl(url);
    const key = `${star.isSecure} ${star.target}`;
    const pooled = this.#pool.get(key) ?? { channel: this.#connect(star), users: 0 };
    pooled.users += 1;
    this.#pool.delete(key);
    this.#pool.set(key, pooled);
    this.#shrink();
    return pooled;
  }

  #connect(star: StarUrl): Channel {
    return new Channel(star.target, this.#identity.credentialsFor(star), {
      "grpc-node.flow_control_window": windowBytes,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 5_000,
    });
  }

  #shrink(): void {
    for (const [key, { channel, users }] of this.#pool) {
      if (this.#pool.size <= this.#most) return;
      if (users > 0) continue;
      channel.close();
      this.#pool.delete(key);
    }
  }
}

class GrpcStream implements SourceStream {
  readonly #call: Call;
  readonly #source: SourceAddress;
  readonly #identity: TlsIdentity;
  readonly #messages: SourceMessage[] = [];
  #isReading = true;
  #end: { readonly error: StarError | null } | null = null;
  #wake: (() => void) | null = null;

  constructor(
    call: Call,
    source: SourceAddress,
    { offset, length }: AskedRange,
    { identity, onEnd }: { readonly identity: TlsIdentity; readonly onEnd: () => void },
  ) {
    this.#call = call;
    this.#source = source;
    this.#identity = identity;
    const request = create(ReadStreamRequestSchema, {
      path: source.path,
      transferToken: source.token,
      offset: BigInt(offset),
      length: BigInt(length),
    });
    const metadata = new Metadata();
    metadata.set("priority", inTurns);
    call.start(metadata, this.#listener(onEnd));
    call.sendMessageWithContext({}, Buffer.from(toBinary(ReadStreamRequestSchema, request)));
    call.halfClose();
    call.startRead();
  }

  async next(): Promise<SourceMessage | null> {
    if (this.#messages.length === 0 && this.#end === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#messages.shift();
    this.#readOn();
    if (message !== undefined) return message;
    if (this.#end?.error) throw await this.#explained(this.#end.error);
    return null;
  }

  /** Where there is no connection TLS may be why. */
  async #explained(error: StarError): Promise<StarError> {
    if (error.code !== "source_unreachable") return error;
    return (await diagnose(this.#source.url, this.#identity)) ?? error;
  }

  cancel(): void {
    this.#messages.length = 0;
    if (this.#end === null) this.#call.cancelWithStatus(status.CANCELLED, "no more is wanted");
  }

  #listener(onEnd: () => void): Listener {
    return {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (bytes: Buffer) => {
        this.#isReading = false;
        try {
          this.#messages.push(fromBinary(ReadStreamResponseSchema, bytes));
        } catch {
          this.#call.cancelWithStatus(status.INTERNAL, "a message cannot be read");
        }
        this.#readOn();
        this.#wake?.();
      },
      onReceiveStatus: ({ code, details }) => {
        this.#end = { error: code === status.OK ? null : sourceError(this.#source, code, details) };
        onEnd();
        this.#wake?.();
      },
    };
  }

  #readOn(): void {
    if (this.#isReading || this.#end !== null || this.#messages.length >= messagesAhead) return;
    this.#isReading = true;
    this.#call.startRead();
  }
}
