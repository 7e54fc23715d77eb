/**
 * The process that plans. The planner is native code that ends its process when it meets what it does not expect,
 * and it takes seconds for the widest schemas: both must not happen where requests are answered.
 */
import type { QueryPlanner } from "@graphql-hive/router-query-planner";
import type { PlannerAnswer, PlannerReadiness, PlannerRequest } from "./planner.ts";

const native = await load();
const planners = new Map<number, QueryPlanner>();
const noLabels: Set<string> = new Set();

process.on("message", (request: PlannerRequest) => {
  const answer = answerTo(request);
  if (answer !== null) process.send?.(answer);
});
process.on("disconnect", () => process.exit(0));
process.send?.({ unavailable: typeof native === "string" ? native : null } satisfies PlannerReadiness);

/** The planner, or why there is none: it has native parts for some systems alone. */
async function load(): Promise<typeof QueryPlanner | string> {
  try {
    return (await import("@graphql-hive/router-query-planner")).QueryPlanner;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function answerTo(request: PlannerRequest): PlannerAnswer | null {
  if (request.kind === "drop") {
    planners.delete(request.schema);
    return null;
  }
  const { number } = request;
  if (typeof native === "string") return { number, ok: false, message: native };
  try {
    if (request.kind === "load") {
      planners.set(request.schema, new native(request.supergraphSdl));
      return { number, ok: true, node: null };
    }
    const planner = planners.get(request.schema);
    if (planner === undefined) return { number, ok: false, message: "the schema is not loaded" };
    const { node } = planner.plan(request.query, request.operationName, noLabels, 0);
    return { number, ok: true, node: node ?? null };
  } catch (error) {
    return { number, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
