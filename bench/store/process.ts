// node bench/store/process.ts SYSTEM CASE FOLDER: measures one case in a process that does nothing else, and prints
// what it cost as JSON.
import type { Measured } from "./meter.ts";

type Case = (folder: string) => Promise<Measured | null>;

const [system, name = "", folder = ""] = process.argv.slice(2);
const cases: Readonly<Record<string, Case>> =
  system === "node-floor" ? await import("./floor.ts") : await import("./ours.ts");
const run = cases[name];
if (run === undefined) throw new Error(`${system} has no case ${name}`);
console.log(JSON.stringify(await run(folder)));
