import { enableCompileCache } from "node:module";

enableCompileCache(); // before the rest is loaded, hence the import below
const { runHolo } = await import("./program.ts");
process.exitCode = await runHolo(process.argv.slice(2));
