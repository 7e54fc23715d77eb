import { readFileSync } from "node:fs";
import { replaceFileSync } from "@catalyst/durable";
import { z } from "zod";

/** More than an organisation and its peers have; the ones that were met first are forgotten. */
const mostNodes = 1_000;

const names = z.array(z.string());

/**
 * Nodes that this one has had a session with, by their full names, also before it was started again: Envoy gives each of them
 * a door to itself, and a door that goes takes along what came in by it. A file that cannot be read is as good as none.
 */
export class KnownNodes {
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #names: Set<string>;

  constructor(path: string, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
    this.#names = new Set(this.#read());
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names[Symbol.iterator]();
  }

  /** Returns whether it is new. */
  meet(node: string): boolean {
    if (this.#names.has(node)) return false;
    this.#names.add(node);
    const [first] = this.#names;
    if (this.#names.size > mostNodes && first !== undefined) this.#names.delete(first);
    this.#write();
    return true;
  }

  forget(node: string): void {
    if (this.#names.delete(node)) this.#write();
  }

  #read(): readonly string[] {
    try {
      return names.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#onFailure(error);
      return [];
    }
  }

  #write(): void {
    try {
      replaceFileSync(this.#path, JSON.stringify([...this.#names]), { mode: 0o600 });
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
