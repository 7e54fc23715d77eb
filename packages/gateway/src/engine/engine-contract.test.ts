import { after } from "node:test";
import { engineContract } from "./engine-contract.ts";
import { createPlannedEngine, createTypescriptEngine } from "./planned/planned-engine.ts";
import { Planner } from "./planned/planner.ts";

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

engineContract("typescript", createTypescriptEngine);
engineContract("planned", (upstream) => createPlannedEngine(upstream, planner));
