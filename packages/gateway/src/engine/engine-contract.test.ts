import { engineContract } from "./engine-contract.ts";
import { createStitchingEngine } from "./stitching-engine.ts";

engineContract("stitching", createStitchingEngine);
