import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatInvitation, type Invitation, invitationId, parseInvitation } from "./invitation.ts";

const invitation: Invitation = {
  addresses: ["192.0.2.1:7400"],
  anchor: new Uint8Array(32).fill(7),
  domain: "acme.catalyst.internal",
  expires: 1_800_000_600,
  node: "n1",
  peer: null,
  secret: new Uint8Array(16).fill(9),
};

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);

test("an invitation is read as it was written", () => {
  const any = fc.record({
    addresses: fc.array(
      fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`),
      { minLength: 1, maxLength: 8 },
    ),
    anchor: bytes(32),
    domain: fc.tuple(label, label).map((labels) => labels.join(".")),
    expires: fc.integer({ min: 0, max: 2 ** 40 }),
    node: label,
    peer: fc.option(fc.tuple(label, label, label).map((labels) => labels.join("."))),
    secret: bytes(16),
  });
  fc.assert(
    fc.property(any, (given) => assert.deepEqual(parseInvitation(formatInvitation(given)), { ...given })),
    { numRuns: 200 },
  );
});

test("one character more, less or other is noticed, and what was given is not repeated", () => {
  const text = formatInvitation(invitation);
  const secret = text.slice(20, 60);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: text.length - 1 }),
      fc.constantFrom(...alphabet, "", "=", " "),
      (at, other) => {
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        fc.pre(changed !== text);
        assert.throws(
          () => parseInvitation(changed),
          (error: Error & { code?: string }) => {
            return error.code === "invitation_malformed" && !error.message.includes(secret);
          },
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("what no invitation can say is not written", () => {
  for (const change of [
    { addresses: [] },
    { addresses: ["192.0.2.1"] },
    { domain: "ACME" },
    { node: "n1.acme" },
    { peer: "n7" },
    { anchor: new Uint8Array(31) },
    { secret: new Uint8Array(17) },
    { expires: -1 },
    { node: "n".repeat(63), domain: `${"a".repeat(63)}.`.repeat(3) + "b".repeat(60) },
  ]) {
    assert.throws(() => formatInvitation({ ...invitation, ...change }), { code: "invitation_malformed" });
  }
});

test("an invitation's id tells nothing of its secret, and is its own", () => {
  const id = invitationId(invitation.secret);
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.notEqual(id, invitationId(new Uint8Array(16).fill(8)));
  assert.ok(!Buffer.from(invitation.secret).toString("hex").includes(id));
});
