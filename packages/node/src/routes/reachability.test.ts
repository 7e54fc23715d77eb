import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openKeptFile } from "./kept-routes.ts";
import { Reachability } from "./reachability.ts";

const domain = "acme.catalyst.internal";

test("however many routes change at once, others have their turn; one that changes again meanwhile is looked at once, and what is no service's name never", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-reachability-"));
  const looked: string[] = [];
  let most = 0;
  {
    await using reachability = new Reachability({
      node: `n1.${domain}`,
      ownHost: "192.0.2.1",
      domain,
      find: () => undefined,
      routes: () => [],
      apply: (_reached, gone) => {
        looked.push(...gone);
        most = Math.max(most, gone.length);
      },
      exportRules: [],
      kept: await openKeptFile(join(folder, "kept.journal"), assert.ifError),
      restartMs: 60_000,
      onFailure: (error) => assert.fail(String(error)),
    });
    const names = Array.from({ length: 1_000 }, (_, at) => `s${at}`);
    for (let round = 0; round < 3; round++) {
      reachability.routesChanged(names.map((name) => `${name}.${domain}`));
    }
    reachability.routesChanged(["mail.umbrella.example"]);
    reachability.routesChanged(["graphql", "1st", "x.sub"].map((name) => `${name}.${domain}`));
    assert.deepEqual(looked, []);
    let turns = 0;
    while (looked.length < names.length) {
      await new Promise(setImmediate);
      turns += 1;
    }
    assert.deepEqual(looked, names);
    assert.ok(most <= 50 && turns >= 20, `${most} at once, ${turns} turns`);
  }
  rmSync(folder, { recursive: true });
});
