import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { certifiedProcesses, IdentityFolder, type SigningRequests } from "@catalyst/identity";
import { domain, newDataDir, openTestAuth } from "../root/test-auth.ts";
import { IdentityKeeper } from "./identity-keeper.ts";

const hourMs = 3_600_000;

/** A keeper of n1's certificates, whose root may be away; asked every half hour of a clock that the test moves. */
async function openKeeper({ isRoot = false } = {}) {
  const auth = await openTestAuth({ at: Date.now() });
  const folder = new IdentityFolder(join(newDataDir(), "identity"));
  const root = { isAway: false, asked: 0 };
  const sign = async (requests: SigningRequests) => {
    root.asked += 1;
    if (root.isAway) throw new Error("nobody answers");
    return auth.registrar.issueOwn(requests);
  };
  const now = () => auth.clock.now;
  const open = () => new IdentityKeeper({ folder, domain, node: "n1", sign, isRoot, now });
  const keeper = open();
  const pass = async (hours: number) => {
    for (let left = hours * 2; left > 0; left--) {
      auth.clock.now += hourMs / 2;
      await keeper.keepUp();
    }
  };
  await keeper.keepUp();
  return { keeper, folder, root, pass, open, [Symbol.asyncDispose]: () => auth[Symbol.asyncDispose]() };
}

test("all processes have certificates at once, and new ones with new keys at half of their life", async () => {
  await using world = await openKeeper();
  const seen = () => certifiedProcesses.map((process) => world.folder.process(process)?.privateKey);
  const first = seen();
  assert.equal(new Set(first).size, certifiedProcesses.length);
  await world.pass(11);
  assert.deepEqual(seen(), first);
  await world.pass(2);
  assert.equal(new Set([...first, ...seen()]).size, 2 * certifiedProcesses.length);
  assert.equal(world.root.asked, 2);
});

test("what was kept is gone on with after a start", async () => {
  await using world = await openKeeper();
  await world.open().keepUp();
  assert.equal(world.root.asked, 1);
});

test("a node whose root is away says until when it lasts, and recovers when the root is back", async () => {
  await using world = await openKeeper();
  world.root.isAway = true;
  await world.pass(11);
  assert.equal(world.keeper.problem(), null);
  await world.pass(8);
  assert.match(world.keeper.problem() ?? "", /nobody answers; the certificates last until \d{4}-/);
  world.root.isAway = false;
  await world.pass(1);
  assert.equal(world.keeper.problem(), null);
  assert.equal(world.keeper.need().kind, "none");
});

test("a node whose certificates have expired says that it has to join again, and asks nobody", async () => {
  await using world = await openKeeper();
  world.root.isAway = true;
  await world.pass(24);
  assert.match(world.keeper.problem() ?? "", /expired at .*: join again with a new token/);
  const { asked } = world.root;
  await world.pass(24);
  assert.equal(world.root.asked, asked);
});

test("the root's own node recovers by itself, however long it was off", async () => {
  await using world = await openKeeper({ isRoot: true });
  world.root.isAway = true;
  await world.pass(72);
  world.root.isAway = false;
  await world.pass(1);
  assert.equal(world.keeper.problem(), null);
});

test("renewals that are asked for at the same time are one", async () => {
  await using world = await openKeeper();
  await Promise.all([world.keeper.renew(), world.keeper.renew()]);
  assert.equal(world.root.asked, 2);
});
