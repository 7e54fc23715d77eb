import type { OperationPlanner, SchemaPlanner } from "../planned/operation-planner.ts";
import { compilePlan } from "../planned/plan.ts";
import { QueryPlanner } from "./query-planner.ts";

/** Our own planner, in this process. It reads a supergraph when the first operation is planned on it. */
export class TypescriptPlanner implements OperationPlanner {
  async load(supergraphSdl: string): Promise<SchemaPlanner> {
    let planner: QueryPlanner | null = null;
    return {
      async plan(query, operationName) {
        planner ??= new QueryPlanner(supergraphSdl);
        const node = planner.plan(query, operationName);
        return node === null ? null : compilePlan(node);
      },
      [Symbol.dispose]() {
        planner = null;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
