// npm run check: everything that can be told of the checkout without running it.
import { checks, runCheck } from "./check/checks.ts";
import { forEachOf } from "./pool.ts";

let failed = 0;
await forEachOf(checks, 2, async (check) => {
  const { passed, output, ms } = await runCheck(check);
  console.log(`${passed ? "ok    " : "FAILED"}  ${check.name} (${(ms / 1000).toFixed(1)} s)`);
  if (passed) return;
  failed += 1;
  console.log(output.replace(/^/gm, "        "));
});
if (failed > 0) {
  console.log(`${failed} of ${checks.length} checks failed. \`npm run format\` mends what is only format.`);
  process.exitCode = 1;
}
