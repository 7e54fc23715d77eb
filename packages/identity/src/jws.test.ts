import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, type webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generateKey } from "@catalyst/identity";
import fc from "fast-check";
import { isSignedBy, readCanonicalObject, readCompactJws, signCompactJws } from "./jws.ts";

type Group = {
  readonly comment: string;
  readonly public?: webcrypto.JsonWebKey;
  readonly tests: readonly { tcId: number; comment: string; jws: unknown; result: "valid" | "invalid" }[];
};

const path = join(import.meta.dirname, "../../../spec/vectors/jws/wycheproof.json");
const groups = (JSON.parse(readFileSync(path, "utf8")) as { testGroups: Group[] }).testGroups;

/** The key of a group, where it is one that may sign tokens. */
function keyOf({ public: jwk }: Group): KeyObject | null {
  if (jwk?.kty !== "EC" || jwk.crv !== "P-256" || jwk.use !== "sig") return null;
  return createPublicKey({ key: jwk, format: "jwk" });
}

test("each of Wycheproof's cases is judged as published under the keys of ES256, and refused under any other", () => {
  const judged = { verified: 0, refused: 0, others: 0 };
  const keys = groups.map(keyOf).filter((key) => key !== null);
  for (const group of groups) {
    const key = keyOf(group);
    for (const { tcId, comment, jws, result } of group.tests) {
      const read = typeof jws === "string" ? readCompactJws(jws) : null;
      const isGood = (under: KeyObject) => read !== null && isSignedBy(read, under);
      if (key !== null) {
        assert.equal(isGood(key), result === "valid", `case ${tcId}: ${comment}`);
        judged[isGood(key) ? "verified" : "refused"]++;
      } else if (group.public?.crv !== "P-256") {
        assert.ok(!keys.some(isGood), `case ${tcId}: ${comment}`);
        judged.others++;
      }
    }
  }
  assert.deepEqual(judged, { verified: 2, refused: 37, others: 360 });
});

const key = generateKey("P-256");
const header = { alg: "ES256", typ: "at+jwt", kid: key.kid };
const signed = signCompactJws(header, { hello: "world" }, key.secret);

test("what is signed reads back, and verifies under its key alone", () => {
  const jws = readCompactJws(signed);
  assert.ok(jws !== null);
  assert.deepEqual(jws.header, header);
  assert.equal(Buffer.from(jws.payload).toString(), '{"hello":"world"}');
  assert.ok(isSignedBy(jws, createPublicKey(key.secret)));
  assert.ok(!isSignedBy(jws, createPublicKey(generateKey("P-256").secret)));
  assert.ok(!isSignedBy(jws, createPublicKey(generateKey("Ed25519").secret)));
});

test("a change of any character of a token makes it another one, or none", () => {
  const publicKey = createPublicKey(key.secret);
  const characters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n"];
  fc.assert(
    fc.property(
      fc.nat({ max: signed.length - 1 }),
      fc.constantFrom(...characters),
      fc.boolean(),
      (at, character, isInserted) => {
        fc.pre(isInserted || signed[at] !== character);
        const changed = signed.slice(0, at) + character + signed.slice(isInserted ? at : at + 1);
        const jws = readCompactJws(changed);
        assert.ok(jws === null || !isSignedBy(jws, publicKey), changed);
      },
    ),
    { numRuns: 2_000 },
  );
});

const part = (text: string) => Buffer.from(text).toString("base64url");

test("a header with anything but alg, typ and kid, in this order, as text and once, is refused", () => {
  const [, payload = "", signature = ""] = signed.split(".");
  const refused = [
    '{"alg":"ES256","crit":["exp"]}',
    '{"alg":"ES256","b64":false,"crit":["b64"]}',
    '{"alg":"ES256","jku":"https://attacker.example/jwks.json"}',
    '{"alg":"ES256","jwk":{}}',
    '{"alg":"ES256","x5u":"https://attacker.example/"}',
    '{"alg":"ES256","cty":"JWT"}',
    '{"alg":"ES256","__proto__":{"kid":"k"}}',
    '{"alg":"none","alg":"ES256"}',
    '{"alg": "ES256"}',
    '{"alg":"\\u0045S256"}',
    '{"alg":["ES256"]}',
    '{"alg":"ES256","kid":"k","typ":"at+jwt"}',
    '{"typ":"at+jwt","alg":"ES256","kid":"k"}',
    '{"alg":"ES256","typ":null,"kid":"k"}',
    '{"alg":"ES256","typ":"at+jwt","kid":"k","x":"y"}',
    '{"kid":"k"}',
    '["ES256"]',
    '"ES256"',
    "null",
    "",
  ];
  for (const text of refused)
    assert.equal(readCompactJws(`${part(text)}.${payload}.${signature}`), null, text);
  assert.notEqual(readCompactJws(`${part('{"alg":"none"}')}.${payload}.${signature}`), null);
});

test("two parts, four parts, another length of signature and more than 8,192 characters are refused", () => {
  const [first = "", second = "", third = ""] = signed.split(".");
  for (const text of ["", ".", "..", `${first}.${second}`, `${signed}.`, `.${signed}`, `${signed}.${third}`])
    assert.equal(readCompactJws(text), null, text);
  assert.equal(readCompactJws(`${first}.${second}.${third.slice(0, -4)}`), null);
  assert.equal(readCompactJws(`${first}.${second}.${third}AAAA`), null);
  const long = (length: number) => `${first}.${"AAAA".repeat(length)}.${third}`;
  assert.notEqual(readCompactJws(long(1_900)), null);
  assert.equal(readCompactJws(long(2_100)), null);
});

const name = fc.stringMatching(/^[A-Za-z].*$/);
const { members } = fc.letrec<{ members: unknown }>((tie) => ({
  members: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "binary" }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("members")),
    fc.dictionary(name, tie("members")),
  ),
}));

test("an object is read if it is written as its writer would write it", () => {
  fc.assert(
    fc.property(fc.dictionary(name, members), (object) => {
      const text = JSON.stringify(object);
      assert.deepEqual(readCanonicalObject(Buffer.from(text)), JSON.parse(text));
      assert.equal(readCanonicalObject(Buffer.from(`${text} `)), null);
    }),
  );
  for (const text of [
    '{"exp":1e3}',
    '{"exp":1.0}',
    '{"a":1,"a":1}',
    '{"n":9007199254740993}',
    "{",
    "[]",
    '{"":1}',
    '{"1":1}',
    '{"a":[{"1":1}]}',
  ])
    assert.equal(readCanonicalObject(Buffer.from(text)), null, text);
  for (const hex of ["ff", "c080", "eda080", "f4908080", "c3"]) {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(hex, "hex"), Buffer.from('"}')]);
    assert.equal(readCanonicalObject(bytes), null, hex);
  }
});
