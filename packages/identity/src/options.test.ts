import assert from "node:assert/strict";
import { test } from "node:test";
import { createSigner, formatStatementKey, generateKey, trustOptions, trustRoots } from "@catalyst/identity";

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

test("a key of another kid, and keys that nobody can be told by, are faults at their place", () => {
  const other = formatStatementKey(createSigner(generateKey("Ed25519")).publicKey);
  const weak = "A".repeat(43);
  const faults: Readonly<Record<string, RegExp>> = {
    [other]: /^is not the key that has this kid$/,
    [weak]: /^cannot be believed: .*small order/,
    __________________________________________8: /^cannot be believed: .*shortest form/,
  };
  for (const [key, message] of Object.entries(faults)) {
    const { error } = trustOptions.safeParse({
      roots: [
        { kid, name },
        { kid, name, key },
      ],
    });
    assert.deepEqual(error?.issues[0]?.path, ["roots", 1, "key"]);
    assert.match(error?.issues[0]?.message ?? "", message);
  }
});

test("names and digests of another form are faults of the configuration", () => {
  for (const root of [
    { kid, name: "Acme" },
    { kid, name: "acme..internal" },
    { kid: "short", name },
    { kid: `${kid.slice(0, 42)}B`, name },
    { kid, name, key: "?" },
    { kid, name, covers: "all" },
  ]) {
    assert.equal(trustOptions.safeParse({ roots: [root] }).success, false, JSON.stringify(root));
  }
});
