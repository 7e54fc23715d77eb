import { PlanFailure } from "../plan-failure.ts";
import type { OperationPlan } from "./plan.ts";

/** A schema that operations are planned on. */
export type SchemaPlanner = Disposable & {
  /**
   * Plans one operation of a document without named fragments, `@skip`, `@include` and introspection; null when there
   * is nothing to fetch. Rejects with {@link PlanFailure}.
   */
  plan(query: string, operationName: string | undefined): Promise<OperationPlan | null>;
};

/** What finds out whom to ask for what. */
export type OperationPlanner = AsyncDisposable & {
  /** Takes a supergraph. Rejects with {@link PlanFailure} when it cannot plan on that. */
  load(supergraphSdl: string): Promise<SchemaPlanner>;
};

/**
 * Plans by the one, and by the other what the first one gives up: operations, or a whole schema; and operations that it
 * is not to be asked for, told by schema.
 */
export function withFallback(
  first: OperationPlanner,
  other: OperationPlanner,
  isBeyond: (supergraphSdl: string) => (query: string) => boolean,
): OperationPlanner {
  return {
    async load(supergraphSdl) {
      const fallback = await other.load(supergraphSdl);
      try {
        return eitherOf(await first.load(supergraphSdl), fallback, isBeyond(supergraphSdl));
      } catch (error) {
        if (error instanceof PlanFailure) return fallback;
        fallback[Symbol.dispose]();
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
}

function eitherOf(
  first: SchemaPlanner,
  other: SchemaPlanner,
  isBeyond: (query: string) => boolean,
): SchemaPlanner {
  return {
    async plan(query, operationName) {
      if (isBeyond(query)) return await other.plan(query, operationName);
      try {
        return await first.plan(query, operationName);
      } catch (error) {
        if (error instanceof PlanFailure) return await other.plan(query, operationName);
        throw error;
      }
    },
    [Symbol.dispose]() {
      first[Symbol.dispose]();
      other[Symbol.dispose]();
    },
  };
}
