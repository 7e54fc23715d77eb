import type { TlsIdentity } from "../connection/credentials.ts";
import { diagnose } from "../connection/diagnosis.ts";
import { StarError } from "../errors.ts";
import type { SourceAddress, SourceMessage, SourceStream } from "./source.ts";

/** Begins by gRPC, and goes on as `turn` says where the source would rather send the bytes by HTTP. */
export class TurningStream implements SourceStream {
  #stream: SourceStream;
  readonly #turn: () => SourceStream;
  #isCancelled = false;

  constructor(stream: SourceStream, turn: () => SourceStream) {
    this.#stream = stream;
    this.#turn = turn;
  }

  get heard(): number {
    return this.#stream.heard ?? 0;
  }

  async next(): Promise<SourceMessage | null> {
    const message = await this.#stream.next();
    if (message?.http !== true || this.#isCancelled) return message;
    this.#stream.cancel();
    this.#stream = this.#turn();
    return await this.#stream.next();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#stream.cancel();
  }
}

/** Says of TLS where that may be why there is no connection. */
export class ExplainedStream implements SourceStream {
  readonly #stream: SourceStream;
  readonly #source: SourceAddress;
  readonly #identity: TlsIdentity;

  constructor(stream: SourceStream, source: SourceAddress, identity: TlsIdentity) {
    this.#stream = stream;
    this.#source = source;
    this.#identity = identity;
  }

  get heard(): number {
    return this.#stream.heard ?? 0;
  }

  async next(): Promise<SourceMessage | null> {
    try {
      return await this.#stream.next();
    } catch (error) {
      const isOfConnection = error instanceof StarError && error.code === "source_unreachable";
      throw (isOfConnection ? await diagnose(this.#source.url, this.#identity) : null) ?? error;
    }
  }

  cancel(): void {
    this.#stream.cancel();
  }
}
