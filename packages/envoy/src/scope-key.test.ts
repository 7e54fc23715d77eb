import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hostScope, meshPrefix, mixedCaseScope, nodeScope } from "./scope-key.ts";

const domain = "acme.catalyst.internal";
const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/);

test("A scope's key is the Host, its name is the label, and what the node serves elsewhere has another", () => {
  assert.deepEqual(hostScope(`products.${domain}`), { name: "products.", key: `products.${domain}` });
  assert.deepEqual(hostScope(`products.${domain}`, meshPrefix), {
    name: "mesh/products.",
    key: `mesh/products.${domain}`,
  });
  for (const own of [nodeScope, mixedCaseScope]) assert.notEqual(hostScope(`${own}.${domain}`).name, own);
});

test("A scope's name is short, and each service's its own", () => {
  fc.assert(
    fc.property(fc.uniqueArray(label, { minLength: 2 }), (labels) => {
      const ids = labels.flatMap((each) => [
        hostScope(`${each}.${domain}`),
        hostScope(`${each}.${domain}`, meshPrefix),
      ]);
      assert.equal(new Set(ids.map(({ name }) => name)).size, 2 * labels.length);
      for (const { name } of ids) assert.ok(Buffer.byteLength(name) <= 22, name);
    }),
  );
});
