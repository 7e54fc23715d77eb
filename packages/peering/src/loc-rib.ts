import { comparePaths, compareSelections, type SelectionChange, selectBest, unchanged } from "./best-path.ts";
import type { Path, UsablePath } from "./path.ts";
import { isUsable } from "./path.ts";

const none: readonly UsablePath[] = [];

/** All paths that import let in, for each service in order of preference: alternates are kept beside the best one. */
export class LocRib {
  readonly #paths = new Map<string, readonly UsablePath[]>();

  get size(): number {
    return this.#paths.size;
  }

  /** Every path of a service, the best one first. */
  paths(service: string): readonly UsablePath[] {
    return this.#paths.get(service) ?? none;
  }

  /** Services as they are when the iterator comes to them, also those added meanwhile. */
  services(): MapIterator<string> {
    return this.#paths.keys();
  }

  /** Puts a path in the place of another; either may be null, or not usable. Tells what that changed. */
  replace(service: string, gone: Path | null, come: Path | null): SelectionChange {
    const isOut = gone !== null && isUsable(gone);
    const isIn = come !== null && isUsable(come);
    if (!isOut && !isIn) return unchanged;
    const before = this.paths(service);
    const after = isIn ? insert(isOut ? without(before, gone) : before, come) : without(before, gone);
    if (after.length > 0) this.#paths.set(service, after);
    else this.#paths.delete(service);
    return compareSelections(selectBest(before), selectBest(after));
  }
}

function without(paths: readonly UsablePath[], gone: Path | null): readonly UsablePath[] {
  return paths.length === 1 && paths[0] === gone ? none : paths.filter((path) => path !== gone);
}

function insert(paths: readonly UsablePath[], come: UsablePath): readonly UsablePath[] {
  if (paths.length === 0) return [come];
  let [low, high] = [0, paths.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = paths[middle];
    if (other !== undefined && comparePaths(other, come) < 0) low = middle + 1;
    else high = middle;
  }
  return paths.toSpliced(low, 0, come);
}
