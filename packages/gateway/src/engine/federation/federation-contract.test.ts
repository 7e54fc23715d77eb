import { after } from "node:test";
import { createPlannedEngine, createTypescriptEngine } from "../planned/planned-engine.ts";
import { Planner } from "../planned/planner.ts";
import { type Deviation, federationContract } from "./federation-contract.ts";

const count = Number(process.env["CATALYST_FEDERATION_OPERATIONS"] ?? 200);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);
const runs = { count, seed, maxMs: count * 40 };

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

/** `@graphql-hive/router-query-planner` 0.0.38 makes a plan that is wrong, and nothing tells it from others. */
const nativeDeviations: readonly Deviation[] = [
  {
    reason: "the planner asks for a field of two types under one key where the service has two types for it",
    cases: [
      "two types of one service may differ in what is null where all services together have one type for both",
    ],
  },
];

federationContract("typescript", createTypescriptEngine, { runs, knownDeviations: [] });
federationContract("planned", (upstream) => createPlannedEngine(upstream, planner), {
  runs,
  knownDeviations: nativeDeviations,
});
