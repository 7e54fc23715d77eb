import assert from "node:assert/strict";
import { test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import { certifiedProcesses, joinTokenId } from "@catalyst/identity";
import { newRequests } from "../certificates/identity-keeper.ts";
import { auditOf, newMachine } from "../member/test-machine.ts";
import { domain } from "./test-auth.ts";
import { openTestAuthority } from "./test-authority.ts";

const refusedAs = (code: string) => ({ code: "enrolment_refused", message: new RegExp(`\\(${code}\\)`) });

test("a token that was taken back admits nobody, and whoever lacks its secret is told nothing of that", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const [revoked] = await root.joinTokens.revoke({ token: joinTokenId(token.secret) });
  assert.deepEqual([revoked?.node, revoked?.state], ["n2", "revoked"]);
  await assert.rejects(newMachine().join(token), refusedAs("token_revoked"));
  const { requests } = await newRequests({ node: "n2", domain });
  const guess = { token: joinTokenId(token.secret), requests, proof: new Uint8Array(32) };
  await assert.rejects(root.registrar.enrol(guess, new Uint8Array(32)), { code: "proof_wrong" });
  assert.equal(root.certificates.ofNode("n2", root.clock.now).length, 0);
  const actions = (await auditOf(root.dataDir)).map(({ action, outcome, reason }) => [
    action,
    outcome,
    reason,
  ]);
  assert.deepEqual(actions.slice(1), [
    ["jointoken.revoke", "done", joinTokenId(token.secret)],
    ["node.enrol", "denied", "token_revoked"],
    ["node.enrol", "denied", "proof_wrong"],
  ]);
});

test("of a token that is taken back while somebody joins with it exactly one of the two comes true", async () => {
  await using root = await openTestAuthority();
  for (let round = 0; round < 5; round++) {
    const token = await root.newToken(`n${round + 2}`);
    const [joined, revoked] = await Promise.allSettled([
      newMachine().join(token),
      new Promise((resolve) => setTimeout(resolve, round * 8)).then(() =>
        root.joinTokens.revoke({ token: token.node }),
      ),
    ]);
    const issued = root.certificates.ofNode(token.node, root.clock.now).length;
    assert.notEqual(joined.status, revoked.status);
    assert.equal(issued, joined.status === "fulfilled" ? certifiedProcesses.length : 0);
    if (revoked.status === "rejected") assert.equal(revoked.reason.code, "join_token_used");
  }
});

test("a withdrawal that the audit log did not take holds, and is made up for there", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const entries = async () =>
    (await auditOf(root.dataDir)).filter(({ action }) => action === "jointoken.revoke").length;
  {
    using _ = armFailpoints("auth.jointoken.revoked=error");
    await assert.rejects(root.joinTokens.revoke({ token: "n2" }));
  }
  await assert.rejects(newMachine().join(token), refusedAs("token_revoked"));
  assert.equal(await entries(), 0);
  for (let times = 2; times > 0; times--) await root.joinTokens.revoke({ token: "n2" });
  assert.equal(await entries(), 1);
});

test("tokens are listed until they expire, and another one may be made for the same node", async () => {
  await using root = await openTestAuthority();
  await root.newToken("n2");
  await root.joinTokens.revoke({ token: "n2" });
  root.clock.now += 1;
  await newMachine().join(await root.newToken("n2"));
  assert.deepEqual(
    root.joinTokens.list().map(({ node, state }) => [node, state]),
    [
      ["n2", "revoked"],
      ["n2", "used"],
    ],
  );
  await assert.rejects(root.joinTokens.revoke({ token: "n9" }), { code: "join_token_unknown" });
  root.clock.now += 600_000;
  assert.deepEqual(root.joinTokens.list(), []);
});
