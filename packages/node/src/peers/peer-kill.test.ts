import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyAudit } from "@catalyst/evidence";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { paths } from "../paths.ts";
import { TestOrchestrator } from "./test-orchestrator.ts";

// Two orchestrators in processes of their own; one of them is killed at a step, and started once more.

const globex = await createTestOrganisation("globex.catalyst.internal");

const inviterOf = () => TestOrchestrator.of("n1", "acme.catalyst.internal");
const joinerOf = () => TestOrchestrator.of("m1", "globex.catalyst.internal", { organisation: globex });

async function invite(node: TestOrchestrator): Promise<string> {
  using rpc = await node.connect();
  return (await rpc.call.invitePeer({})).token;
}

async function join(node: TestOrchestrator, token: string) {
  using rpc = await node.connect();
  return await rpc.call.joinPeer({ token, waitMs: 10_000 }, { timeoutMs: 30_000 });
}

async function peersOf(node: TestOrchestrator): Promise<string[]> {
  using rpc = await node.connect();
  const peers = await rpc.call.listPeers(undefined);
  return peers.map(({ node, origin, state }) => `${node} ${origin} ${state}`);
}

async function established(node: TestOrchestrator, peer: TestOrchestrator): Promise<void> {
  const wanted = [`${peer.name} invitation established`];
  for (let left = 400; JSON.stringify(await peersOf(node)) !== JSON.stringify(wanted); left--) {
    assert.ok(left > 0, (await peersOf(node)).join());
    await sleep(25);
  }
}

/** What the audit log has of peers, once it is written to no more. */
async function auditOf({ dataDir }: TestOrchestrator): Promise<string[]> {
  const found: string[] = [];
  await verifyAudit(paths.audit(dataDir, "orchestrator"), {
    onEntry: ({ event }) => {
      if ("action" in event) found.push(`${event.action.action} ${event.action.outcome}`);
    },
  });
  return found;
}

for (const step of ["peer.accept.kept", "peer.accept.audited"]) {
  test(`an inviter that is killed at ${step} lets the same joiner in when it is back, and nobody else`, async () => {
    const [a, b] = await Promise.all([inviterOf(), joinerOf()]);
    await Promise.all([a.start(`${step}=kill`), b.start()]);
    const token = await invite(a);
    await assert.rejects(join(b, token), { code: "peer_unreachable" });
    assert.equal(await a.ended(), "SIGKILL");
    assert.deepEqual(await peersOf(b), []);
    await a.start();
    const { peer } = await join(b, token);
    assert.equal(peer.state, "established");
    await established(a, b);
    await Promise.all([a.stop(), b.stop()]);
    assert.deepEqual(
      (await auditOf(a)).filter((entry) => entry === "peer.accept done").length,
      step === "peer.accept.kept" ? 1 : 2,
    );
    assert.deepEqual(await auditOf(b), ["peer.join done"]);
  });
}

for (const step of ["peer.join.kept", "peer.join.audited"]) {
  test(`a joiner that is killed at ${step} dials its peer when it is back`, async () => {
    const [a, b] = await Promise.all([inviterOf(), joinerOf()]);
    await Promise.all([a.start(), b.start(`${step}=kill`)]);
    await assert.rejects(join(b, await invite(a)));
    assert.equal(await b.ended(), "SIGKILL");
    await b.start();
    await established(b, a);
    await established(a, b);
    await Promise.all([a.stop(), b.stop()]);
    assert.ok((await auditOf(b)).every((entry) => entry === "peer.join done"));
    assert.deepEqual(await auditOf(a), ["peer.invite done", "peer.accept done"]);
  });
}

for (const step of ["peer.remove.kept", "peer.remove.audited"]) {
  test(`a peer whose removal was killed at ${step} stays out after the next start`, async () => {
    const [a, b] = await Promise.all([inviterOf(), joinerOf()]);
    await Promise.all([a.start(`${step}=kill`), b.start()]);
    await join(b, await invite(a));
    await established(a, b);
    {
      using rpc = await a.connect();
      await assert.rejects(rpc.call.removePeer({ peer: b.name }));
    }
    assert.equal(await a.ended(), "SIGKILL");
    await a.start();
    const attempts = async () => {
      using rpc = await b.connect();
      return (await rpc.call.listPeers(undefined))[0]?.attempts ?? 0;
    };
    const before = await attempts();
    for (let left = 400; (await attempts()) < before + 3; left--) {
      assert.ok(left > 0, "the removed peer tries no more");
      await sleep(25);
    }
    assert.deepEqual(await peersOf(a), []);
    await Promise.all([a.stop(), b.stop()]);
    const removals = (await auditOf(a)).filter((entry) => entry === "peer.remove done");
    assert.equal(removals.length, step === "peer.remove.kept" ? 1 : 2);
  });
}
