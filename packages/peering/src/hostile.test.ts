import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../../wire/test/hex.ts";
import { costlyBytes, hostileBytes } from "../../wire/test/mutation.ts";
import { readCases } from "../../wire/test/vectors.ts";
import { closeCodes } from "./errors.ts";
import { show, TestPeers } from "./test-peers.ts";
import { n1, n2, n3, products } from "./test-route.ts";

const seeds = readCases<{ readonly hex: string }>("peering/message/good.json").map(({ hex }) => fromHex(hex));

test("whatever one peer sends, the speaker goes on, and the others' routes stay as they are", () => {
  fc.assert(
    fc.property(fc.array(hostileBytes(seeds), { maxLength: 12 }), (messages) => {
      const peers = new TestPeers();
      peers.up(n1, n2, n3);
      peers.announce(n2, [products]);
      for (const bytes of messages) peers.message(n1, bytes);
      assert.ok(peers.through(products).includes(n2));
      assert.ok(peers.closed.every(({ peer, code }) => peer === n1 && code in closeCodes));
      assert.ok(show(peers.heard(n3)).includes(`announce ${products} at ${n2}`));
    }),
    { numRuns: 1_000 },
  );
});

for (const [what, bytes] of Object.entries(costlyBytes(65_024))) {
  test(`a message that asks for as much work as it can, ${what}, ends the session in less than 0.5 s`, () => {
    const peers = new TestPeers();
    peers.up(n1);
    const start = process.cpuUsage();
    peers.message(n1, bytes);
    const { user, system } = process.cpuUsage(start);
    assert.ok(user + system < 500_000);
    assert.equal(peers.closed.length, 1);
  });
}
