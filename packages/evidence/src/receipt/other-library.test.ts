import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeBundle,
  encodeBundle,
  nodeCrypto,
  signReceipt,
  verifyBundle,
  verifyReceipt,
} from "@catalyst/evidence";
import { verifyElsewhere } from "../../test/other-cose.ts";
import { alpha, beta, now, optionsFor, rootOf } from "../../test/parties.ts";
import { blocksOf, receipts } from "../../test/receipts.ts";
import { refusal } from "../../test/refusal.ts";

// What is signed here is good COSE for everybody: `@auth0/cose` verifies each kind of receipt, however it comes.

const parties = [alpha, beta];
const roots = parties.map(({ name, signer }) => rootOf(name, signer));
const options = await optionsFor(...roots);
const ways = { one: [alpha], two: parties };

for (const receipt of Object.values(receipts)) {
  for (const [many, signers] of Object.entries(ways)) {
    const envelopes = signers.map(({ name, signer }) =>
      signReceipt(signer, receipt, { issuer: name, issuedAt: now }),
    );
    describe(`a ${receipt.kind} receipt, signed by ${many}`, () => {
      test("verifies alone, here and there", async () => {
        const { statements, ...verified } = await verifyReceipt(envelopes, options);
        assert.deepEqual(verified.receipt, receipt);
        for (const { payloadBytes } of statements)
          assert.deepEqual(payloadBytes, statements[0]?.payloadBytes);
        await eachElsewhere(envelopes);
      });
      test("verifies in a bundle here, and taken out of it there", async () => {
        const bytes = encodeBundle({ receipts: [envelopes], blocks: blocksOf(receipt) });
        const verified = await verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf: now });
        assert.deepEqual(
          verified.receipts.map((one) => one.receipt),
          [receipt],
        );
        const [taken = []] = decodeBundle(bytes).receipts;
        assert.deepEqual(taken, envelopes);
        await eachElsewhere(taken);
      });
    });
  }

  test(`a ${receipt.kind} receipt with any byte changed verifies nowhere`, async () => {
    const good = signReceipt(alpha.signer, receipt, { issuer: alpha.name, issuedAt: now });
    for (const [at, changed] of eachByteChanged(good)) {
      assert.notEqual(await refusal(() => verifyReceipt([changed], options)), null, `byte ${at}`);
      if (at === unprotectedAt(good)) continue; // nobody signs it: RFC 9052 §4.4
      await assert.rejects(verifyElsewhere(changed, alpha.signer.publicKey), `byte ${at}`);
    }
  });
}

test("one bundle of all twelve kinds, each signed by one and by two, verifies here and there", async () => {
  const all = Object.values(receipts).flatMap((receipt) =>
    Object.values(ways).map((signers) => ({
      receipt,
      envelopes: signers.map(({ name, signer }) =>
        signReceipt(signer, receipt, { issuer: name, issuedAt: now }),
      ),
    })),
  );
  assert.equal(all.length, 24);
  const blocks = new Map(
    all.flatMap(({ receipt }) => blocksOf(receipt)).map((block) => [String(block), block]),
  );
  const bytes = encodeBundle({
    receipts: all.map(({ envelopes }) => envelopes),
    blocks: [...blocks.values()],
  });
  const verified = await verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf: now });
  assert.deepEqual(
    verified.receipts.map(({ receipt }) => receipt),
    all.map(({ receipt }) => receipt),
  );
  for (const envelopes of decodeBundle(bytes).receipts) await eachElsewhere(envelopes);
});

test("a signature of another key verifies nowhere", async () => {
  const forged = signReceipt(beta.signer, receipts.pin, { issuer: alpha.name, issuedAt: now });
  assert.equal(await refusal(() => verifyReceipt([forged], options)), "issuer_untrusted");
  await assert.rejects(verifyElsewhere(forged, alpha.signer.publicKey));
});

async function eachElsewhere(envelopes: readonly Uint8Array[]): Promise<void> {
  for (const [at, envelope] of envelopes.entries()) {
    await verifyElsewhere(envelope, (parties[at] ?? alpha).signer.publicKey);
  }
}

/** The bytes with one of them changed in one bit, each in its turn. */
function* eachByteChanged(bytes: Uint8Array): Iterable<readonly [number, Uint8Array]> {
  for (const [at, byte] of bytes.entries()) yield [at, bytes.with(at, byte ^ (1 << (at & 7)))];
}

/** Where the unprotected header, `a0`, stands: after a tag, the head of the array, and the protected header. */
function unprotectedAt(envelope: Uint8Array): number {
  assert.equal(envelope[2], 0x58, "a protected header of 24 to 255 bytes");
  return 4 + (envelope[3] ?? 0);
}
