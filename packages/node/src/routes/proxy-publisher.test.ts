import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createOrchestratorEvents } from "../orchestrator-events.ts";
import { ProxyPublisher } from "./proxy-publisher.ts";

test("What a node has itself is published although it has nothing to show to other nodes yet", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-publisher-"));
  const address = (port: number) => ({ host: "127.0.0.1", port });
  const publisher = await ProxyPublisher.create({
    mesh: {
      domain: "acme.catalyst.internal",
      node: "n1",
      listen: { ingress: address(1), egress: address(2), mesh: address(3) },
      gateway: { socketPath: join(folder, "graphql.sock") },
      nodes: "tls",
    },
    socketPath: join(folder, "xds.sock"),
    journalPath: join(folder, "envoy.journal"),
    events: createOrchestratorEvents(createLogger({ process: "test", level: "silent" }), createMetrics()),
  });
  try {
    assert.doesNotThrow(() => publisher.put([]));
  } finally {
    await publisher[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  }
});
