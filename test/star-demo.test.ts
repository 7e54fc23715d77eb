import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const program = join(import.meta.dirname, "..", "examples", "star-demo", "main.ts");

test("The demo of stars shows what goes from star to star and what does not, and ends by itself", async () => {
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>(
    (resolve) => {
      execFile(
        process.execPath,
        [program, "--megabytes", "100"],
        { env: { ...process.env, NO_COLOR: "1" } },
        (error, out, talk) =>
          resolve({ code: error === null ? 0 : Number(error.code), stdout: out, stderr: talk }),
      );
    },
  );
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^✓ /gm)?.length, 6, stdout);
  assert.match(stdout, /100 MB in .*\n +SHA-256 [0-9a-f]{64}/);
  for (const words of [/token_invalid/, /path_outside/, /were there already/]) assert.match(stdout, words);
});
