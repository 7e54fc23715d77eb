import type { Kid, StatementKey } from "./public-key.ts";

/**
 * A key that is believed because the configuration says so: spec/evidence.md §2.1. `subtree` is the key of an
 * organisation, good for its name and every name below it; `name` is a pinned key, good for that name alone.
 */
export type TrustRoot = {
  readonly name: string;
  readonly covers: "name" | "subtree";
  readonly kid: Kid;
  /** Null when the kid alone is pinned: the key then comes along with what is verified. */
  readonly key: StatementKey | null;
};
