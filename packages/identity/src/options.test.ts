import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSigner,
  formatStatementKey,
  generateKey,
  IdentityError,
  trustOptions,
  trustRoots,
} from "@catalyst/identity";

const { publicKey, kid } = createSigner(generateKey("Ed25519"));
const name = "acme.catalyst.internal";

test("a root is a kid with a name, with or without the key, and covers that name alone unless told", () => {
  const options = trustOptions.parse({
    roots: [
      { kid, name, covers: "subtree", key: formatStatementKey(publicKey) },
      { kid, name: `n1.${name}` },
    ],
  });
  assert.deepEqual(trustRoots(options), [
    { kid, name, covers: "subtree", key: publicKey },
    { kid, name: `n1.${name}`, covers: "name", key: null },
  ]);
});

test("without roots nobody is believed", () => {
  assert.deepEqual(trustRoots(trustOptions.parse({})), []);
});

test("a kid of another key, and a key of small order, are refused by the root's name", () => {
  const other = createSigner(generateKey("Ed25519"));
  for (const key of [formatStatementKey(other.publicKey), "A".repeat(43)]) {
    const options = trustOptions.parse({ roots: [{ kid, name, key }] });
    assert.throws(
      () => trustRoots(options),
      (error) =>
        error instanceof IdentityError && error.code === "trust_root_invalid" && error.message.includes(name),
    );
  }
});

test("names and digests of another form are faults of the configuration", () => {
  for (const root of [
    { kid, name: "Acme" },
    { kid, name: "acme..internal" },
    { kid: "short", name },
    { kid, name, key: "?" },
    { kid, name, covers: "all" },
  ]) {
    assert.equal(trustOptions.safeParse({ roots: [root] }).success, false, JSON.stringify(root));
  }
});
