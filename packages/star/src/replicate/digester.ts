import { Worker } from "node:worker_threads";
import { type Block, BlockPool } from "./block-pool.ts";

export type DigestWork =
  | {
      readonly kind: "block";
      readonly of: number;
      readonly block: Block;
      readonly length: number;
      /** Whether SHA-256 goes on with it. */
      readonly isNext: boolean;
      /** SHA-256 goes on with it only if its CRC is this. */
      readonly expected: number | null;
    }
  | { readonly kind: "end"; readonly of: number; readonly isWanted: boolean };
/** The CRC-32 of a block, or the SHA-256 at the end in hexadecimal digits. */
export type DigestAnswer = number | string;

type Asked = { readonly resolve: (answer: DigestAnswer) => void; readonly reject: (error: unknown) => void };

/** Hashes the blocks of a pool in a thread, for all transfers of a process. The thread starts when it is needed. */
export class Digester implements AsyncDisposable {
  readonly pool: BlockPool;
  #worker: Worker | null = null;
  #asked: Asked[] = [];
  #digests = 0;

  constructor(pool: BlockPool = new BlockPool()) {
    this.pool = pool;
  }

  /** SHA-256 over the blocks that follow, and the CRC-32 of each. */
  begin(): Digest {
    this.#digests += 1;
    return new Digest(this.#digests, (work) => this.#ask(work));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  #ask(work: DigestWork): Promise<DigestAnswer> {
    this.#worker ??= this.#start();
    // Who waits for an answer keeps the process alive; a thread that rests does not.
    if (this.#asked.length === 0) this.#worker.ref();
    this.#worker.postMessage(work);
    return new Promise((resolve, reject) => this.#asked.push({ resolve, reject }));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./digest-worker.ts", import.meta.url), { name: "digest" });
    worker.on("message", (answer: DigestAnswer) => {
      this.#asked.shift()?.resolve(answer);
      if (this.#asked.length === 0) worker.unref();
    });
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the thread that hashes has ended")));
    return worker;
  }

  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    const asked = this.#asked;
    this.#asked = [];
    this.#worker = null;
    for (const { reject } of asked) reject(error);
  }
}

/** The digest of one transfer. */
export class Digest {
  readonly #id: number;
  readonly #ask: (work: DigestWork) => Promise<DigestAnswer>;

  constructor(id: number, ask: (work: DigestWork) => Promise<DigestAnswer>) {
    this.#id = id;
    this.#ask = ask;
  }

  /**
   * The CRC-32 of a block's first bytes. With `isNext` SHA-256 goes on with them, and with `expected` only if that is their CRC.
   * The block is the caller's again when this has resolved.
   */
  async add(block: Block, length: number, isNext: boolean, expected: number | null = null): Promise<number> {
    const work = { kind: "block", of: this.#id, block, length, isNext, expected } as const;
    return (await this.#ask(work)) as number;
  }

  /** The SHA-256, 64 hexadecimal digits. */
  async finish(): Promise<string> {
    return (await this.#ask({ kind: "end", of: this.#id, isWanted: true })) as string;
  }

  async drop(): Promise<void> {
    await this.#ask({ kind: "end", of: this.#id, isWanted: false });
  }
}
