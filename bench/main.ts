// npm run bench -- NAME [--json] [FLAG ...], the flags being those of the benchmark
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Bench, renderTable } from "./report.ts";

const [name, ...flags] = process.argv.slice(2);
const json = flags.includes("--json");
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts" && file !== "report.ts")
  .map((file) => file.slice(0, -".ts".length));

if (name === undefined || !names.includes(name)) {
  console.error(`Usage: npm run bench -- NAME [--json], where NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}
const path = join(import.meta.dirname, `${name}.ts`);
const { bench } = (await import(path)) as { readonly bench: Bench };
const known = ["--json", ...(bench.flags ?? [])];
if (flags.some((flag) => !known.includes(flag))) {
  console.error(`Usage: npm run bench -- ${name} ${known.map((flag) => `[${flag}]`).join(" ")}`);
  process.exit(2);
}
const rows = await bench.run((text) => console.error(text), new Set(flags));
const [cpu] = cpus();
const machine = `${cpu?.model ?? "unknown"} x ${cpus().length}, Node ${process.version}`;
if (json) console.log(JSON.stringify({ bench: bench.name, machine, rows }));
else console.log(`\n${bench.name} on ${machine}\n\n${renderTable(rows, bench.targets)}`);
