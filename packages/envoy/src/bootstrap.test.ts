import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { envoyBinary, envoyMissing } from "../test/envoy-under-test.ts";
import { bootstrap } from "./bootstrap.ts";
import { envoyArguments, envoyRelease, parseEnvoyVersion } from "./process.ts";

const run = promisify(execFile);

test("Envoy accepts the bootstrap and has nothing to say against it", { skip: envoyMissing }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "envoy-"));
  try {
    const bootstrapPath = join(folder, "bootstrap.json");
    const document = bootstrap({
      node: "n1",
      domain: "acme.catalyst.internal",
      adminSocket: join(folder, "admin.sock"),
      xdsSocket: join(folder, "xds.sock"),
      replaySocket: join(folder, "replay.sock"),
    });
    writeFileSync(bootstrapPath, JSON.stringify(document));
    const args = [...envoyArguments({ bootstrapPath, concurrency: 1 }), "--mode", "validate"];
    const { stdout, stderr } = await run(envoyBinary, args);
    assert.match(stdout, /OK/);
    assert.equal(stderr, "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("The version is read from what Envoy prints", { skip: envoyMissing }, async () => {
  assert.equal(parseEnvoyVersion((await run(envoyBinary, ["--version"])).stdout), envoyRelease);
  assert.equal(parseEnvoyVersion("GNU bash, version 5.2.15(1)-release"), null);
});
