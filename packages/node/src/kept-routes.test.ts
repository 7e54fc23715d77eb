import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KeptRoutes } from "./kept-routes.ts";
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
  const open = () =>
    new KeptRoutes({
      path: join(folder, "routes.json"),
      restartMs: 60_000,
      onForgotten: (names) => forgotten.push(...names),
      onFailure: (error) => assert.fail(String(error)),
    });
  try {
    await using killed = open();
    for (const name of ["a", "b"]) killed.keep(service(name));
    const deadline = performance.now() + 1_000;
    const known = () => [...open().names()];
    while (known().length < 2 && performance.now() < deadline) await sleep(10);
    await using next = open();
    assert.deepEqual([...next.names()], ["a", "b"]);
    assert.deepEqual(next.before("a"), service("a"));
    next.keep(service("a"));
    next.complete("n2.example.org");
    assert.deepEqual(forgotten, ["b"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
