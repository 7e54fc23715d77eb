import { fileURLToPath } from "node:url";
import { createProgram } from "./program.ts";

const program = createProgram(fileURLToPath(import.meta.url));
process.exitCode = await program(process.argv.slice(2));
