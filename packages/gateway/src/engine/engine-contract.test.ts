import { after } from "node:test";
import { engineContract } from "./engine-contract.ts";
import { createPlannedEngine } from "./planned/planned-engine.ts";
import { Planner } from "./planned/planner.ts";
import { createStitchingEngine } from "./stitching-engine.ts";

const planner = new Planner();
after(() => planner[Symbol.asyncDispose]());

engineContract("stitching", createStitchingEngine);
engineContract("planned", (upstream) => createPlannedEngine(upstream, planner));
