import { after } from "node:test";
import { createPlannedEngine, createTypescriptEngine } from "../planned/planned-engine.ts";
import { Planner } from "../planned/planner.ts";
import { federationContract } from "./federation-contract.ts";

const count = Number(process.env["CATALYST_FEDERATION_OPERATIONS"] ?? 200);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);
const runs = { count, seed, maxMs: count * 40 };

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

federationContract("typescript", createTypescriptEngine, { runs, knownDeviations: [] });
federationContract("planned", (upstream) => createPlannedEngine(upstream, planner), {
  runs,
  knownDeviations: [],
});
