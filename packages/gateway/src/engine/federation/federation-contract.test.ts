import { after } from "node:test";
import { createPlannedEngine } from "../planned/planned-engine.ts";
import { Planner, type SchemaPlanner } from "../planned/planner.ts";
import { createStitchingEngine } from "../stitching-engine.ts";
import { federationContract } from "./federation-contract.ts";
import { plannedDeviations, stitchingDeviations } from "./known-deviations.ts";

const count = Number(process.env["CATALYST_FEDERATION_OPERATIONS"] ?? 200);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);
const runs = { count, seed, maxMs: count * 40 };

const planner = new Planner();
let failures = 0;
after(() => planner[Symbol.asyncDispose]());

/** The planner, with its failures counted: another engine answers then. */
const counting = {
  async load(supergraphSdl: string): Promise<SchemaPlanner> {
    const loaded = await planner.load(supergraphSdl);
    return {
      async plan(query, operationName) {
        try {
          return await loaded.plan(query, operationName);
        } catch (error) {
          failures += 1;
          throw error;
        }
      },
      [Symbol.dispose]: () => loaded[Symbol.dispose](),
    };
  },
  [Symbol.asyncDispose]: () => planner[Symbol.asyncDispose](),
};

function gaveUp(): boolean {
  const any = failures > 0;
  failures = 0;
  return any;
}

federationContract("stitching", createStitchingEngine, { runs, knownDeviations: stitchingDeviations });
federationContract("planned", (upstream) => createPlannedEngine(upstream, counting), {
  runs,
  knownDeviations: plannedDeviations,
  gaveUp,
});
