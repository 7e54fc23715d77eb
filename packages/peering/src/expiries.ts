import { Deadlines } from "./deadlines.ts";
import type { Path } from "./path.ts";

/** Paths that end at a time of the wall clock, by that second. */
export class Expiries {
  readonly #paths = new Map<number, Set<Path>>();
  readonly #seconds = new Deadlines<number>();

  /** The next second at which paths end; null for never. */
  get next(): number | null {
    return this.#seconds.next;
  }

  add(path: Path): void {
    const { expiry } = path.received;
    if (expiry === null) return;
    const paths = this.#paths.get(expiry);
    if (paths !== undefined) {
      paths.add(path);
      return;
    }
    this.#paths.set(expiry, new Set([path]));
    this.#seconds.add(expiry, expiry);
  }

  delete(path: Path): void {
    const { expiry } = path.received;
    if (expiry !== null) this.#paths.get(expiry)?.delete(path);
  }

  /** Takes the paths that have ended. */
  *takeEnded(wall: number): Generator<Path> {
    for (let second = this.#seconds.takeDue(wall); second !== null; second = this.#seconds.takeDue(wall)) {
      const paths = this.#paths.get(second) ?? [];
      this.#paths.delete(second);
      yield* paths;
    }
  }
}
