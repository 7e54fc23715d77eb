// npm run soak -- [NAME] [--minutes N]: long runs of one kind, or of each in turn. Ends with `N passed, N failed`.
import { parseArgs } from "node:util";
import { soakGateway } from "../bench/gateway/soak.ts";
import { soakNodes } from "../test/kills.ts";
import { soakRotation } from "../test/rotation.ts";

/** Runs for minutes and says how it goes; resolves with whether all was well. */
type Soak = (minutes: number, say: (text: string) => void) => Promise<boolean>;

const kinds: Readonly<Record<string, Soak>> = {
  gateway: soakGateway,
  nodes: soakNodes,
  rotation: soakRotation,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string", default: "10" } },
});
const names = positionals.length === 0 ? Object.keys(kinds) : positionals;
const minutes = Number(values.minutes);
if (names.some((name) => kinds[name] === undefined) || !(minutes >= 1)) {
  console.error(
    `Usage: npm run soak -- [NAME] [--minutes N], where NAME is one of: ${Object.keys(kinds).join(", ")}`,
  );
  process.exit(2);
}

let failed = 0;
for (const name of names) {
  console.log(`soak ${name}: ${minutes} minutes`);
  try {
    if (!(await kinds[name]?.(minutes, (text) => console.log(text)))) failed += 1;
  } catch (error) {
    console.error(error);
    failed += 1;
  }
}
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
