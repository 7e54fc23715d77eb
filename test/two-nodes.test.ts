import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import { authContract } from "@catalyst/rpc";

const domain = "test.catalyst.internal";
const entry = join(import.meta.dirname, "..", "packages", "cli", "src", "main.ts");

/** A service that nobody has to reach: routes are told of it all the same. */
const service = (name: string) => ({ name, protocol: "http" as const, url: "http://127.0.0.1:9" });

const noSecrets = { name: "no secrets", action: "reject", match: { service: "secret.*" } };

/** Services and the nodes that they come from, as a node knows them. */
async function known(node: NodeUnderTest): Promise<string[]> {
  const routes = await node.routes();
  return routes.map(({ service, origin }) => `${service.split(".")[0]} of ${origin.split(".")[0]}`);
}

async function knows(node: NodeUnderTest, ...wanted: string[]): Promise<void> {
  await node.until(`the routes ${wanted.join(", ")}`, 15_000, async () => {
    return JSON.stringify(await known(node)) === JSON.stringify(wanted);
  });
}

test("Two nodes exchange routes without proof when that is asked for by name, and say so loudly", async () => {
  const [port = 0] = await freePorts(1);
  const plain = "--insecure-plain-peers";
  await using n1 = await NodeUnderTest.start({
    services: [service("products")],
    flags: ["--listen-peers", `127.0.0.1:${port}`, plain],
  });
  await using n2 = await NodeUnderTest.start({
    name: "n2",
    services: [service("reviews")],
    flags: [
      ...["--peer", JSON.stringify({ name: "n1", address: `127.0.0.1:${port}` }), plain],
      ...["--mesh-peering-import", JSON.stringify(noSecrets)],
    ],
  });
  for (const node of [n1, n2]) {
    await knows(node, "products of n1", "reviews of n2");
    const { peering } = await node.mesh();
    assert.equal(peering?.authenticated, false);
  }
  const metrics = await (await fetch(`http://127.0.0.1:${n2.ports.telemetry}/metrics`)).text();
  assert.match(metrics, /^catalyst_routes\{(?=.*peer="n1\.)(?=.*table="received").*\} 1$/m);
  assert.match(metrics, /^catalyst_peers\{.*state="established".*\} 1$/m);
  await n1.addService(service("stock"));
  await knows(n2, "products of n1", "reviews of n2", "stock of n1");
  await n1.removeService("stock");
  await n1.addService(service("secret"));
  await n2.until("what is kept out", 10_000, async () => {
    const rejected = await n2.routes("rejected");
    return (
      rejected.length === 1 &&
      rejected[0]?.service === `secret.${domain}` &&
      rejected[0].rule === "no secrets"
    );
  });
  await knows(n2, "products of n1", "reviews of n2");
});

test("Routes travel through a node that is not their origin, and go when their origin goes down", async () => {
  const [port = 0] = await freePorts(1);
  const plain = "--insecure-plain-peers";
  const dialling = ["--peer", JSON.stringify({ name: "n2", address: `127.0.0.1:${port}` }), plain];
  await using n1 = await NodeUnderTest.start({ services: [service("products")], flags: dialling });
  await using n2 = await NodeUnderTest.start({
    name: "n2",
    flags: ["--listen-peers", `127.0.0.1:${port}`, plain],
  });
  await using n3 = await NodeUnderTest.start({ name: "n3", services: [service("reviews")], flags: dialling });
  for (const node of [n1, n2, n3]) await knows(node, "products of n1", "reviews of n3");
  const [route] = await n3.routes();
  assert.deepEqual([route?.peer, route?.nodePath], [`n2.${domain}`, [`n2.${domain}`, `n1.${domain}`]]);
  assert.equal(route?.nextHop, `127.0.0.1:${n1.ports.mesh}`);
  await n1.stop();
  for (const node of [n2, n3]) await knows(node, "reviews of n3");
});

test("A node that has joined by a token proves who it is, keeps what it was told over a crash, and is put out when it is revoked", async () => {
  const [port = 0, authority = 0] = await freePorts(2);
  await using n1 = await NodeUnderTest.start({
    services: [service("products")],
    flags: ["--listen-peers", `127.0.0.1:${port}`, "--auth-authority-listen", `127.0.0.1:${authority}`],
  });
  using auth = await n1.connect("auth", authContract);
  const { token } = await auth.call.createJoinToken({ node: "n2" });
  const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${port}` });

  // Where the node cannot run its token is not used.
  const dataDir = mkdtempSync(join(tmpdir(), "catalyst-node-"));
  const taken = ["--node-data-dir", dataDir, "--join", token, "--ingress", `127.0.0.1:${n1.ports.ingress}`];
  const { stderr } = await promisify(execFile)(process.execPath, [entry, "up", ...taken]).catch(
    (error) => error,
  );
  assert.match(stderr, /is in use/);
  assert.doesNotMatch(stderr, /This is n2/);
  rmSync(dataDir, { recursive: true });

  await using n2 = await NodeUnderTest.start({
    name: "n2",
    services: [service("reviews")],
    flags: ["--peer", peer, "--join", token],
  });
  const both = ["products of n1", "reviews of n2"];
  for (const node of [n1, n2]) await knows(node, ...both);
  const [told] = await n2.peers();
  assert.equal(told?.node, `n1.${domain}`);
  assert.equal(told.authenticated, true);

  // Killed, an orchestrator comes back to the routes that there are now, and no stale one stays.
  await n2.addService(service("stock"));
  await n1.killChild("orchestrator");
  await n2.removeService("stock");
  await n1.ready();
  for (const node of [n1, n2]) await knows(node, ...both);

  const revoked = performance.now();
  await auth.call.revokeNode({ node: "n2" });
  await n1.until("n2 is put out", 10_000, async () => !(await known(n1)).includes("reviews of n2"));
  const tookMs = performance.now() - revoked;
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  const [kept] = await n2.peers();
  assert.notEqual(kept?.state, "established");
});
