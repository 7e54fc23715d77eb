import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeBundle,
  EvidenceError,
  encodeBundle,
  nodeCrypto,
  signReceipt,
  verifyBundle,
  webCrypto,
} from "@catalyst/evidence";
import fc from "fast-check";
import { fromHex, toHex } from "../../../wire/test/hex.ts";
import { hostileBytes } from "../../../wire/test/mutation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { alpha, beta, now, rootOf } from "../../test/parties.ts";
import { receipts } from "../../test/receipts.ts";
import { refusal } from "../../test/refusal.ts";
import { fromRootNotation, type VerifiedNotation } from "../../test/vectors.ts";

type Case = VerifiedNotation & { readonly hex: string };

const good = readCases<Case>("evidence-bundle/good.json");
const bad = readCases<Case & { readonly code: string }>("evidence-bundle/bad.json");

function verifyCase({ hex, roots, asOf }: Case, crypto = nodeCrypto) {
  return verifyBundle(fromHex(hex), { crypto, roots: roots.map(fromRootNotation), asOf });
}

describe("the vectors of spec/evidence.md §5", () => {
  for (const one of good) {
    test(`${one.name}: accepted, and written as the same bytes`, async () => {
      const { receipts } = await verifyCase(one);
      assert.ok(receipts.length > 0);
      assert.deepEqual(await verifyCase(one, webCrypto()), await verifyCase(one));
      assert.equal(toHex(encodeBundle(decodeBundle(fromHex(one.hex)))), one.hex);
    });
  }
  for (const { code, ...one } of bad) {
    test(`${one.name}: refused as ${code}`, async () => {
      assert.equal(await refusal(() => verifyCase(one)), code);
    });
  }
});

const parties = [alpha, beta];
const roots = parties.map(({ name, signer }) => rootOf(name, signer));

test("any changed byte of a bundle is refused with a code", async () => {
  const full = good.find(({ name }) => name.startsWith("receipts by one and by two"));
  assert.ok(full !== undefined);
  const bytes = fromHex(full.hex);
  const options = { crypto: nodeCrypto, roots: full.roots.map(fromRootNotation), asOf: full.asOf };
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at & 7));
    assert.notEqual(await refusal(() => verifyBundle(changed, options)), null, `byte ${at}`);
  }
});

test("hostile bytes are refused with a code", async () => {
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex));
  const known = new Set([...good, ...bad].map(({ hex }) => hex));
  await fc.assert(
    fc.asyncProperty(hostileBytes(seeds), async (bytes) => {
      const code = await refusal(() => verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf: now }));
      if (code === null) assert.ok(known.has(toHex(bytes)));
    }),
    { numRuns: 1_000 },
  );
});

test("the receipt at fault is named by its place", async () => {
  const envelopes = parties.map(({ name, signer }) => [
    signReceipt(signer, receipts.pin, { issuer: name, issuedAt: now }),
  ]);
  const bytes = encodeBundle({ receipts: envelopes });
  await assert.rejects(
    verifyBundle(bytes, { crypto: nodeCrypto, roots: roots.slice(0, 1), asOf: now }),
    (error) =>
      error instanceof EvidenceError && error.code === "issuer_untrusted" && error.evidence.index === 1,
  );
});

test("a bundle above the limit of bytes is neither written nor read", async () => {
  const envelope = signReceipt(alpha.signer, receipts.pin, { issuer: alpha.name, issuedAt: now });
  const bytes = encodeBundle({ receipts: [[envelope]] });
  assert.equal(await refusal(() => encodeBundle({ receipts: [[envelope]] }, bytes.length - 1)), "too_large");
  const options = { crypto: nodeCrypto, roots, asOf: now, maxBytes: bytes.length - 1 };
  assert.equal(await refusal(() => verifyBundle(bytes, options)), "too_large");
});
