import type { Tree } from "@catalyst/wire";
import type { ObjectBytes } from "../disk/object-bytes.ts";
import { readBlock } from "./device.ts";
import { type Plan, type Shape, stripesOf } from "./plan.ts";
import { createReedSolomon } from "./reed-solomon.ts";

/** Reads an object from the shards that can be opened, each block proven or made from others. */
export class ShardReader implements AsyncDisposable {
  readonly #plan: Plan;
  readonly #opened: ReadonlyMap<number, ObjectBytes>;
  readonly #code;

  constructor(plan: Plan, opened: ReadonlyMap<number, ObjectBytes>) {
    this.#plan = plan;
    this.#opened = opened;
    this.#code = createReedSolomon(plan.scheme.data, plan.scheme.parity);
  }

  /** Bytes of the object; null when too few shards have them. */
  async read(offset: number, length: number): Promise<Uint8Array | null> {
    const { blockBytes } = this.#plan;
    const bytes = new Uint8Array(length);
    for (let at = offset; at < offset + length; ) {
      const within = at % blockBytes;
      const block = await this.#dataBlock(Math.floor(at / blockBytes));
      if (block === null) return null;
      const part = block.subarray(within, within + offset + length - at);
      bytes.set(part, at - offset);
      at += part.length;
    }
    return bytes;
  }

  /** All of the object, up to what cannot be read any more. */
  async *stream(): AsyncGenerator<Uint8Array> {
    const { sizeBytes, blockBytes } = this.#plan;
    for (let at = 0; at < sizeBytes; at += blockBytes) {
      const bytes = await this.read(at, Math.min(blockBytes, sizeBytes - at));
      if (bytes === null) return;
      yield bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bytes of this.#opened.values()) await bytes[Symbol.asyncDispose]();
  }

  async #dataBlock(index: number): Promise<Uint8Array | null> {
    const { data } = this.#plan.scheme;
    const stripe = Math.floor(index / data);
    const wanted = index % data;
    const whole = await this.#block(wanted, stripe);
    if (whole !== null) return whole;
    const found = new Map<number, Uint8Array>();
    for (const shard of this.#opened.keys()) {
      const block = shard === wanted ? null : await this.#block(shard, stripe);
      if (block !== null) found.set(shard, block);
      if (found.size === data) break;
    }
    return this.#code.decode(wanted, found);
  }

  async #block(shard: number, stripe: number): Promise<Uint8Array | null> {
    const bytes = this.#opened.get(shard);
    const tree: Tree | undefined = this.#plan.shards[shard];
    if (bytes === undefined || tree === undefined) return null;
    return readBlock(bytes, tree, stripe * this.#plan.blockBytes);
  }
}

/** The blocks of all shards, stripe by stripe, from the bytes of an object. */
export async function* stripesFrom(
  bytes: AsyncIterable<Uint8Array>,
  plan: Shape,
): AsyncGenerator<readonly Uint8Array[]> {
  const { scheme, blockBytes } = plan;
  const code = createReedSolomon(scheme.data, scheme.parity);
  let left = stripesOf(plan);
  let stripe = new Uint8Array(scheme.data * blockBytes);
  let filled = 0;
  const finish = () => {
    const blocks = Array.from({ length: scheme.data }, (_, at) =>
      stripe.subarray(at * blockBytes, (at + 1) * blockBytes),
    );
    stripe = new Uint8Array(stripe.length);
    filled = 0;
    left -= 1;
    return [...blocks, ...code.encode(blocks)];
  };
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + stripe.length - filled);
      stripe.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === stripe.length) yield finish();
    }
  }
  if (left > 0) yield finish();
}
