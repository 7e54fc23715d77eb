import { createStitchingEngine } from "../stitching-engine.ts";
import { federationContract } from "./federation-contract.ts";
import { stitchingDeviations } from "./known-deviations.ts";

const count = Number(process.env["CATALYST_FEDERATION_OPERATIONS"] ?? 200);
const seed = Number(process.env["CATALYST_FEDERATION_SEED"] ?? 1);
const runs = { count, seed, maxMs: count * 40 };

federationContract("stitching", createStitchingEngine, runs, stitchingDeviations);
