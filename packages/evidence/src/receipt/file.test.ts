import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeReceiptFile, encodeReceiptFile, verifyReceipt } from "@catalyst/evidence";
import { encodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { fromHex } from "../../../wire/test/hex.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { forge } from "../../test/forge.ts";
import { beta } from "../../test/parties.ts";
import { refusal } from "../../test/refusal.ts";
import { optionsOf, type VerifiedNotation } from "../../test/vectors.ts";

const good = readCases<VerifiedNotation & { readonly hex: string }>("evidence-file/good.json");
const bad = readCases<VerifiedNotation & { readonly hex: string; readonly code: string }>(
  "evidence-file/bad.json",
);

describe("the vectors of spec/evidence.md §4.4", () => {
  for (const one of good) {
    test(`${one.name}: accepted`, async () => {
      const { receipt } = await verifyReceipt(decodeReceiptFile(fromHex(one.hex)), await optionsOf(one));
      assert.equal(receipt.kind, "pin");
    });
  }
  for (const one of bad) {
    test(`${one.name}: refused as ${one.code}`, async () => {
      const options = await optionsOf(one);
      assert.equal(
        await refusal(() => verifyReceipt(decodeReceiptFile(fromHex(one.hex)), options)),
        one.code,
      );
    });
  }
});

const one = forge();
const two = forge({ signer: beta.signer });

test("a file of one envelope is that envelope, a file of two is the list of both", () => {
  assert.deepEqual(encodeReceiptFile([one]), one);
  assert.deepEqual(decodeReceiptFile(one), [one]);
  assert.deepEqual(decodeReceiptFile(encodeReceiptFile([one, two])), [one, two]);
  assert.deepEqual(decodeReceiptFile(encodeCbor([one])), [one]);
});

test("any bytes are read as envelopes or refused with a code", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
      await refusal(() => decodeReceiptFile(bytes));
    }),
  );
});
