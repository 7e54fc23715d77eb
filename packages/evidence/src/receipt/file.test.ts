import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeReceiptFile, encodeReceiptFile } from "@catalyst/evidence";
import { encodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { forge } from "../../test/forge.ts";
import { beta } from "../../test/parties.ts";
import { refusal } from "../../test/refusal.ts";

const one = forge();
const two = forge({ signer: beta.signer });

test("a file of one envelope is that envelope, a file of two is the list of both", () => {
  assert.deepEqual(encodeReceiptFile([one]), one);
  assert.deepEqual(decodeReceiptFile(one), [one]);
  assert.deepEqual(decodeReceiptFile(encodeReceiptFile([one, two])), [one, two]);
  assert.deepEqual(decodeReceiptFile(encodeCbor([one])), [one]);
});

test("a list of none, of three, and of other things is refused", async () => {
  for (const list of [[], [one, two, one], [1], ["x"], [new Uint8Array()]]) {
    assert.equal(await refusal(() => decodeReceiptFile(encodeCbor(list))), "schema_mismatch");
  }
  assert.equal(await refusal(() => decodeReceiptFile(encodeCbor([new Uint8Array(9_000)]))), "too_large");
});

test("any bytes are read as envelopes or refused with a code", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
      await refusal(() => decodeReceiptFile(bytes));
    }),
  );
});
