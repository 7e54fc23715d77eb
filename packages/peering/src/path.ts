import type { AttributeSet } from "./attribute-set.ts";
import type { Verdict } from "./policy.ts";

/** Whom routes come from: a peer, or this node itself. */
export type Source = { readonly node: string; readonly domain: string; readonly isOwnDomain: boolean };

/** A route as one source told it, and what import made of it. It is replaced, not changed. */
export type Path = {
  readonly service: string;
  readonly source: Source;
  /** As it came. */
  readonly received: AttributeSet;
  readonly verdict: Verdict;
  readonly healthy: boolean;
  /** When it was last told, in rounds of its source: a path of an earlier round is stale. */
  round: number;
};

/** A path that import let in. */
export type UsablePath = Path & { readonly verdict: Verdict & { readonly attributes: AttributeSet } };

export function isUsable(path: Path): path is UsablePath {
  return path.verdict.attributes !== null;
}
