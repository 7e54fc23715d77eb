import { setTimeout as sleep } from "node:timers/promises";
import type { EngineSchema } from "./engine/engine.ts";
import type { SchemaInput } from "./service.ts";

/** One schema in force, from when it replaces the one before until the last request that it began with is done. */
export type Generation = {
  /** Counts from 1. */
  readonly number: number;
  readonly compiled: EngineSchema;
  readonly sdl: string;
  /** What tells the engine which service serves what. */
  readonly supergraphSdl: string;
  /** SHA-256 of the SDL, in hexadecimal. */
  readonly digest: string;
  readonly services: readonly SchemaInput[];
  /** Aborted when the generation retires: its subscriptions end then. Queries and mutations have their own limit. */
  readonly retired: AbortSignal;
};

/** A generation held by one request or subscription; disposing it twice is the same as once. */
export type Pin = Disposable & { readonly generation: Generation };

export type GenerationOptions = {
  /** How long what began with a generation may go on after it was replaced. */
  readonly retireMs: number;
  /** Generations at a time; the oldest retires early when there are more. */
  readonly maxGenerations: number;
};

type Held = {
  readonly generation: Generation;
  readonly controller: AbortController;
  pins: number;
  timer?: NodeJS.Timeout;
};

/** The one pointer to the generation that new requests begin with, and the older ones that still have requests. */
export class Generations implements Disposable {
  readonly #options: GenerationOptions;
  readonly #replaced = new Set<Held>();
  #current: Held | null = null;
  #count = 0;
  #pins = 0;

  constructor(options: GenerationOptions) {
    this.#options = options;
  }

  get current(): Generation | null {
    return this.#current?.generation ?? null;
  }

  /** Generations so far; the number of the current one while there is one. */
  get count(): number {
    return this.#count;
  }

  /** Pins held now, and generations that did not retire. */
  get alive(): { readonly pins: number; readonly generations: number } {
    return { pins: this.#pins, generations: this.#replaced.size + (this.#current === null ? 0 : 1) };
  }

  /** Holds the current generation, or the given one once more; null when nothing is served. */
  pin(of?: Generation): Pin | null {
    const held = of === undefined || of === this.current ? this.#current : this.#heldOf(of);
    if (held === null) return null;
    held.pins += 1;
    this.#pins += 1;
    let released = false;
    return {
      generation: held.generation,
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        held.pins -= 1;
        this.#pins -= 1;
        if (held.pins === 0 && this.#replaced.has(held)) this.#retire(held);
      },
    };
  }

  /** Puts a schema, or none, in the place of the current generation. */
  replace(next: Pick<Generation, "compiled" | "sdl" | "supergraphSdl" | "digest" | "services"> | null): void {
    const old = this.#current;
    this.#count += 1;
    this.#current = null;
    if (next !== null) {
      const controller = new AbortController();
      const generation = { ...next, number: this.#count, retired: controller.signal };
      this.#current = { generation, controller, pins: 0 };
    }
    if (old === null) return;
    this.#replaced.add(old);
    if (old.pins === 0) {
      this.#retire(old);
      return;
    }
    old.timer = setTimeout(() => this.#retire(old), this.#options.retireMs).unref();
    const [oldest] = this.#replaced;
    if (this.#replaced.size >= this.#options.maxGenerations && oldest !== undefined) this.#retire(oldest);
  }

  /** Resolves when nothing is pinned any more, or when the time is up. */
  async idle(timeoutMs: number): Promise<void> {
    const until = performance.now() + timeoutMs;
    while (this.#pins > 0 && performance.now() < until) await sleep(10);
  }

  /** Retires all. */
  [Symbol.dispose](): void {
    for (const held of this.#replaced) this.#retire(held);
    this.#current?.controller.abort();
  }

  #heldOf(of: Generation): Held | null {
    for (const held of this.#replaced) if (held.generation === of) return held;
    return null;
  }

  #retire(held: Held): void {
    clearTimeout(held.timer);
    this.#replaced.delete(held);
    held.controller.abort();
    held.generation.compiled[Symbol.dispose]?.();
  }
}
