import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EvidenceError } from "@catalyst/evidence";
import { type CborValue, decodeCbor } from "@catalyst/wire";
import { fromHex, toHex } from "../../../wire/test/hex.ts";
import { type Notation, toNotation } from "../../../wire/test/notation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { alpha, beta, now, optionsFor, rootOf } from "../../test/parties.ts";
import { receipts } from "../../test/receipts.ts";
import { refusal } from "../../test/refusal.ts";
import { optionsOf, type VerifiedNotation } from "../../test/vectors.ts";
import { receiptKinds } from "./kinds.ts";
import { encodeReceipt, readReceipt } from "./receipt.ts";
import { signReceipt } from "./sign.ts";
import { verifyReceipt } from "./verify.ts";

type Good = VerifiedNotation & {
  readonly value: Notation;
  readonly payload: string;
  readonly envelopes: readonly string[];
};
type Bad = VerifiedNotation & { readonly envelopes: readonly string[]; readonly code: string };

const all = Object.values(receipts);
const options = await optionsFor(rootOf(alpha.name, alpha.signer), rootOf(beta.name, beta.signer));

describe("a receipt of each kind", () => {
  for (const receipt of all) {
    test(`${receipt.kind}: the payload is read as what was written`, () => {
      assert.deepEqual(readReceipt(decodeCbor(encodeReceipt(receipt))), receipt);
    });
  }
});

test("any changed bit of an envelope is refused with a code", async () => {
  const bytes = signReceipt(alpha.signer, receipts.pin, { issuer: alpha.name, issuedAt: now });
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      const code = await refusal(() => verifyReceipt([changed], options));
      assert.notEqual(code, null, `byte ${at}, bit ${bit}`);
    }
  }
});

describe("the vectors of spec/evidence.md §4", () => {
  for (const one of readCases<Good>("evidence-receipt/good.json")) {
    const { name, value, payload, envelopes } = one;
    test(`${name}: accepted from one and from two`, async () => {
      const options = await optionsOf(one);
      const bytes = envelopes.map(fromHex);
      for (const signed of [bytes, bytes.slice(0, 1)]) {
        const { statements } = await verifyReceipt(signed, options);
        assert.equal(toHex(statements[0]?.payloadBytes ?? new Uint8Array()), payload);
        assert.deepEqual(toNotation(statements[0]?.payload ?? null), value);
      }
    });
  }
  for (const one of readCases<Bad>("evidence-receipt/bad.json")) {
    test(`${one.name}: refused as ${one.code}`, async () => {
      const options = await optionsOf(one);
      assert.equal(await refusal(() => verifyReceipt(one.envelopes.map(fromHex), options)), one.code);
    });
  }
});

test("the scope fed is read as federation, and never written", () => {
  const [older] = readCases<Good>("evidence-receipt/good.json").filter(({ name }) => name.includes("fed,"));
  const receipt = readReceipt(decodeCbor(fromHex(older?.payload ?? "")));
  assert.equal(receipt.scope, "federation");
  assert.notEqual(toHex(encodeReceipt(receipt)), older?.payload);
});

test("what an error quotes of a receipt moves no cursor", () => {
  for (const key of ["\u001b[2J", "a\nb", "\u202e", "x".repeat(4_000)]) {
    assert.throws(
      () =>
        readReceipt(
          new Map<string, CborValue>([
            ["kind", "pin"],
            [key, 1],
          ]),
        ),
      (error) => error instanceof EvidenceError && /^[^\p{Cc}\p{Cf}]{1,1000}$/u.test(error.message),
    );
  }
});

test("a receipt that no reader would accept is not signed", async () => {
  const wrong = { ...receipts.transfer, ranges: [{ start: 5, end: 5 }] };
  const sign = () => signReceipt(alpha.signer, wrong, { issuer: alpha.name, issuedAt: now });
  assert.equal(await refusal(sign), "schema_mismatch");
  const large = { ...receipts.storage, namespace: "x".repeat(5_000) };
  assert.equal(await refusal(() => encodeReceipt(large)), "too_large");
});

test("spec/evidence.md names the members of each kind, and no others", () => {
  const spec = readFileSync(join(import.meta.dirname, "../../../../spec/evidence.md"), "utf8");
  for (const [kind, members] of Object.entries(receiptKinds)) {
    const rule = new RegExp(`^${kind}-receipt = \\{([\\s\\S]*?)^\\}`, "m").exec(spec)?.[1] ?? "";
    const named = [...rule.matchAll(/^ {2}(\? )?(\w+): /gm)].map(([, mark, name]) => `${name}${mark ?? ""}`);
    const ours = Object.entries(members)
      .filter(([name]) => !["scope", "policyRef", "capabilityRef"].includes(name))
      .map(([name, field]) => `${name}${"optional" in field ? "? " : ""}`);
    assert.deepEqual(named.filter((name) => name !== "kind").sort(), ours.sort(), kind);
  }
});
