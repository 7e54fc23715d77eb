import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openJournal, readJournal } from "@catalyst/durable";
import { KeptRoutes, openKeptFile } from "./kept-routes.ts";
import type { RemoteService } from "./reach.ts";

const service = (name: string): RemoteService => ({
  name,
  protocol: "http",
  nextHops: [
    { host: "192.0.2.1", port: 1, sni: "n2.example.org", spiffeId: "spiffe://example.org/node/n2/envoy" },
  ],
  revision: "1",
  peer: "n2.example.org",
});

test("What a peer told is there again after a kill that comes soon, and goes when the peer does not tell it any more", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-kept-"));
  const forgotten: string[] = [];
  const path = join(folder, "routes.journal");
  const open = async () =>
    new KeptRoutes({
      file: await openKeptFile(path, assert.ifError),
      restartMs: 60_000,
      onForgotten: (names) => forgotten.push(...names),
      onFailure: (error) => assert.fail(String(error)),
    });
  try {
    await using killed = await open();
    for (const name of ["a", "b"]) killed.keep(service(name));
    const deadline = performance.now() + 1_000;
    while ((await readJournal(path)).records.length < 1 && performance.now() < deadline) await sleep(10);
    await using next = await open();
    assert.deepEqual([...next.names()], ["a", "b"]);
    assert.deepEqual(next.before("a"), service("a"));
    next.keep(service("a"));
    next.complete("n2.example.org");
    assert.deepEqual(forgotten, ["b"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("However often routes change, the file holds to the size of what there is, and says the newest of each", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-kept-"));
  const path = join(folder, "routes.journal");
  const open = async () =>
    new KeptRoutes({
      file: await openKeptFile(path, assert.ifError),
      restartMs: 60_000,
      onForgotten: () => {},
      onFailure: (error) => assert.fail(String(error)),
    });
  try {
    const names = Array.from({ length: 2_500 }, (_, at) => `s${at}`);
    for (let round = 0; round < 8; round++) {
      await using kept = await open();
      for (const name of names) kept.keep({ ...service(name), revision: `${round}` });
      kept.drop("s7");
    }
    await using last = await open();
    assert.deepEqual([...last.names()].toSorted(), names.filter((name) => name !== "s7").toSorted());
    assert.equal(last.before("s2499")?.revision, "7");
    const bytes = statSync(path).size;
    assert.ok(bytes < 2_000_000, `${bytes} bytes`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("A file that is damaged is told and set aside, and routes are kept in a new one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-kept-"));
  const path = join(folder, "routes.journal");
  const told: unknown[] = [];
  try {
    for (const damaged of ["no journal", null]) {
      if (damaged !== null) writeFileSync(path, damaged);
      else {
        await using journal = await openJournal(path);
        await journal.append(new TextEncoder().encode(`{"reached":[{"name":"a"}],"gone":[]}`));
      }
      const file = await openKeptFile(path, (error) => told.push(error));
      await file.journal[Symbol.asyncDispose]();
      assert.equal(file.before.size, 0);
    }
    assert.equal(told.length, 2);
    assert.ok(existsSync(`${path}.bad`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
