import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IdentityError } from "../errors.ts";
import { formatJoinToken, type JoinToken, joinTokenId, parseJoinToken } from "./join-token.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const port = fc.integer({ min: 1, max: 65_535 });
const tokens: fc.Arbitrary<JoinToken> = fc.record(
  {
    addresses: fc.array(
      fc
        .tuple(fc.oneof(fc.ipV4(), fc.constant("[::1]"), label), port)
        .map(([host, number]) => `${host}:${number}`),
      { minLength: 1, maxLength: 8 },
    ),
    domain: fc.tuple(label, label).map((labels) => labels.join(".")),
    node: label,
    root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    expires: fc.integer({ min: 0, max: 2 ** 40 }),
  },
  { noNullPrototype: true },
);

const malformed = (error: unknown) => error instanceof IdentityError && error.code === "join_token_malformed";

test("a token says after it was copied what it said before", () => {
  fc.assert(fc.property(tokens, (token) => assert.deepEqual(parseJoinToken(formatJoinToken(token)), token)));
});

test("a token of which a character was changed, lost or added is refused, and its secret is not repeated", () => {
  fc.assert(
    fc.property(tokens, fc.nat(), fc.constantFrom("", "A", "-", " ", "é"), (token, where, other) => {
      const text = formatJoinToken(token);
      const at = where % text.length;
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      if (changed === text) return;
      const refusal = refusalOf(() => parseJoinToken(changed));
      assert.ok(malformed(refusal));
      assert.ok(!String(refusal).includes(text.slice(8, 40)));
    }),
  );
});

test("any text is refused by name", () => {
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => parseJoinToken(text), malformed)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.throws(() => parseJoinToken(`join1.${Buffer.from(bytes).toString("base64url")}`), malformed);
    }),
  );
  assert.throws(() => parseJoinToken(`join1.${"A".repeat(4_000)}`), malformed);
});

test("no token is made of what none can say", () => {
  const [good] = fc.sample(tokens, 1);
  assert.ok(good !== undefined);
  const bad = [
    { ...good, addresses: [] },
    { ...good, addresses: ["not an address"] },
    { ...good, node: "n2.acme" },
    { ...good, domain: "Acme" },
    { ...good, secret: new Uint8Array(15) },
    { ...good, root: new Uint8Array(31) },
    { ...good, expires: -1 },
  ];
  for (const token of bad) assert.throws(() => formatJoinToken(token), malformed);
});

test("a token's id is of its secret alone, and tells nothing of it", () => {
  fc.assert(
    fc.property(tokens, ({ secret }) => {
      const id = joinTokenId(secret);
      assert.match(id, /^[0-9a-f]{16}$/);
      assert.equal(joinTokenId(Uint8Array.from(secret)), id);
    }),
  );
});

function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return null;
}
