import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatAuditHead, parseAuditHead, verifyAuditHead } from "@catalyst/evidence";
import { fromHex } from "../../../wire/test/hex.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { refusal } from "../../test/refusal.ts";
import { optionsOf, type VerifiedNotation } from "../../test/vectors.ts";

type Case = VerifiedNotation & { readonly hex: string };
type Bad = (Case | { readonly text: string }) & { readonly code: string };

describe("the vectors of spec/evidence.md §7.2", () => {
  for (const one of readCases<Case & { readonly head: string }>("evidence-audit-head/good.json")) {
    test(`${one.name}: accepted`, async () => {
      const head = await verifyAuditHead(fromHex(one.hex), await optionsOf(one));
      assert.equal(formatAuditHead(head), one.head);
      assert.deepEqual(parseAuditHead(one.head), head);
    });
  }
  for (const { name, code, ...one } of readCases<Bad>("evidence-audit-head/bad.json")) {
    test(`${name}: refused as ${code}`, async () => {
      const read = async () =>
        "text" in one ? parseAuditHead(one.text) : verifyAuditHead(fromHex(one.hex), await optionsOf(one));
      assert.equal(await refusal(read), code);
    });
  }
});
