import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

enableCompileCache(); // before the rest is loaded, hence the import below
const { createProgram } = await import("./program.ts");
process.exitCode = await createProgram(fileURLToPath(import.meta.url))(process.argv.slice(2));
