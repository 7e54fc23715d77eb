import { after } from "node:test";
import { getOperationAST, Kind, parse } from "graphql";
import { PlanFailure } from "../plan-failure.ts";
import { createPlannedEngine } from "../planned/planned-engine.ts";
import { Planner, type SchemaPlanner } from "../planned/planner.ts";
import { createStitchingEngine } from "../stitching-engine.ts";
import { federationContract } from "./federation-contract.ts";
import { plannedDeviations, stitchingDeviations } from "./known-deviations.ts";

const count = Number(process.env["CATALYST_FEDERATION_OPERATIONS"] ?? 200);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);
const runs = { count, seed, maxMs: count * 40 };

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

/** What the planned engine knows for no failure of the planner: so it asks no other engine, and rejects. */
class GivenUp extends Error {}

/** The planner, which gives up where the engine would ask another one: what is planned anew field by field is left. */
const alone = {
  async load(supergraphSdl: string): Promise<SchemaPlanner> {
    const loaded = await planner.load(supergraphSdl);
    return {
      async plan(query, operationName) {
        try {
          return await loaded.plan(query, operationName);
        } catch (error) {
          if (error instanceof PlanFailure && isLastAttempt(query)) throw new GivenUp(error.message);
          throw error;
        }
      },
      [Symbol.dispose]: () => loaded[Symbol.dispose](),
    };
  },
  [Symbol.asyncDispose]: () => planner[Symbol.asyncDispose](),
};

function isLastAttempt(query: string): boolean {
  const operation = getOperationAST(parse(query));
  if (operation?.operation !== "query" && operation?.operation !== "mutation") return true;
  const names = operation.selectionSet.selections.map((node) =>
    node.kind === Kind.FIELD ? (node.alias ?? node.name).value : null,
  );
  return !names.includes(null) && new Set(names).size === 1;
}

federationContract("stitching", createStitchingEngine, { runs, knownDeviations: stitchingDeviations });
federationContract("planned", (upstream) => createPlannedEngine(upstream, planner), {
  runs,
  knownDeviations: plannedDeviations,
  alone: {
    createEngine: (upstream) => createPlannedEngine(upstream, alone),
    gaveUp: (error) => error instanceof GivenUp,
  },
});
