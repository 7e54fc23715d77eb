import { TlsIdentity } from "../connection/credentials.ts";
import { type Listener, StarChannel } from "../connection/star-channel.ts";
import { parseStarUrl, type StarUrl } from "../connection/star-url.ts";
import { starService } from "../service.ts";
import { GrpcBatch } from "./grpc-batch.ts";
import { type Begin, GrpcStream } from "./grpc-stream.ts";
import { HttpReads } from "./http-reads.ts";
import {
  type AskedRange,
  inTurns,
  type SourceAddress,
  type SourceProvider,
  type SourceStream,
} from "./source.ts";
import { ExplainedStream, TurningStream } from "./turning-stream.ts";

export type StarSourcesOptions = {
  /** How `https` sources are met; default: with the authorities that Node knows, and no certificate of our own. */
  readonly identity?: TlsIdentity;
  /** Stars whose connections are kept; default 64. The one that was used least lately goes first. */
  readonly most?: number;
  /** From so many bytes on they are read by HTTP from stars that serve it; default 1 MiB. */
  readonly httpFrom?: number;
};

const readStreamPath = starService.ReadStream.path;

type Pooled = { readonly channel: StarChannel; readonly reads: HttpReads; users: number };

/** Files of stars: over a connection for gRPC to each star, which is kept for the next file, and large ones by HTTP where the star serves that. */
export class StarSources implements SourceProvider {
  readonly #identity: TlsIdentity;
  readonly #most: number;
  readonly #httpFrom: number;
  /** In the order in which they were used last. */
  readonly #pool = new Map<string, Pooled>();

  constructor({ identity = new TlsIdentity(), most = 64, httpFrom = 1024 * 1024 }: StarSourcesOptions = {}) {
    this.#httpFrom = httpFrom;
    this.#identity = identity;
    this.#most = most;
  }

  open(source: SourceAddress, range: AskedRange): SourceStream {
    const star = parseStarUrl(source.url);
    const { reads } = this.#take(star);
    const openHttp = () => this.#use(star, (_, release) => reads.open(source, range, release));
    const openGrpc = (httpFrom: number) =>
      new GrpcStream(this.#calling(star, readStreamPath), source, range, httpFrom);
    // Whoever crowds, or gave no answer, meanwhile is read by gRPC after all.
    const turn = () => (reads.isWanted ? openHttp() : openGrpc(0));
    const stream = () => {
      const isLong = range.length >= this.#httpFrom;
      if (!reads.isWanted || (!isLong && range.length > 0)) return openGrpc(0);
      // To the end of a file is how much only the source knows.
      if (isLong && reads.isServed) return openHttp();
      return new TurningStream(openGrpc(this.#httpFrom), turn);
    };
    return new ExplainedStream(stream(), source, this.#identity);
  }

  openAll(url: string, files: readonly SourceAddress[]): readonly SourceStream[] {
    const begin = this.#calling(parseStarUrl(url), starService.ReadFiles.path);
    const openAlone = (source: SourceAddress) => this.open(source, { offset: 0, length: 0 });
    return new GrpcBatch(begin, files, openAlone).streams;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pooled of this.#pool.values()) close(pooled);
    this.#pool.clear();
  }

  #calling(star: StarUrl, path: string): Begin {
    return (request, { onPiece, onEnd }) =>
      this.#use(star, ({ channel }, release) => {
        const listener: Listener = {
          onPiece,
          onEnd: (code, details) => {
            release();
            onEnd(code, details);
          },
        };
        return channel.call(path, request, { priority: inTurns }, listener);
      });
  }

  /** Begins something with what is kept for a star, which is kept until it is released. */
  #use<Begun>(star: StarUrl, begin: (pooled: Pooled, release: () => void) => Begun): Begun {
    const pooled = this.#take(star);
    pooled.users += 1;
    const release = () => {
      pooled.users -= 1;
      this.#shrink();
    };
    this.#shrink();
    try {
      return begin(pooled, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #take(star: StarUrl): Pooled {
    const key = `${star.isSecure} ${star.target}`;
    const pooled = this.#pool.get(key) ?? {
      channel: new StarChannel(star, this.#identity),
      reads: new HttpReads(star, this.#identity),
      users: 0,
    };
    this.#pool.delete(key);
    this.#pool.set(key, pooled);
    return pooled;
  }

  #shrink(): void {
    for (const [key, pooled] of this.#pool) {
      if (this.#pool.size <= this.#most) return;
      if (pooled.users > 0) continue;
      close(pooled);
      this.#pool.delete(key);
    }
  }
}

function close({ channel, reads }: Pooled): void {
  channel.close();
  reads.close();
}
