import assert from "node:assert/strict";
import { test } from "node:test";
import { readProcessIdentity } from "@catalyst/identity";
import { selfSigned } from "@catalyst/identity/testing";
import { PeerCredentials } from "./peer-credentials.ts";

test("A root that cannot be read is named, and what the node shows is taken up all the same", async () => {
  const id = { domain: "acme.example", node: "n1", process: "orchestrator" };
  const { cert, key } = await selfSigned(id);
  const shown = { ...readProcessIdentity(`${cert}${key}`), isConfigured: false };
  const own = {
    process: () => shown,
    trust: () => {
      throw new Error("roots.pem: no certificate");
    },
  };
  const credentials = new PeerCredentials({ own, anchors: () => [] });
  credentials.refresh();
  assert.equal(credentials.problem, "roots.pem: no certificate");
  assert.equal(credentials.current?.certificateChain, shown.certificateChain);
  assert.equal(credentials.envoy?.certificateChain, shown.certificateChain);
});
