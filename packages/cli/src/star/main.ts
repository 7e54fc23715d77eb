import { enableCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";

// Files go through buffers outside of the heap, each of which is garbage once it was sent. The engine would mark the whole heap for every
// few megabytes of them; these count them with the heap, and let that grow to four times of what lives before it is marked.
for (const flag of ["--external-memory-accounted-in-global-limit", "--heap-growing-percent=300"])
  setFlagsFromString(flag);
enableCompileCache(); // before the rest is loaded, hence the import below
const { runOrbitStar } = await import("./program.ts");
process.exitCode = await runOrbitStar(process.argv.slice(2));
