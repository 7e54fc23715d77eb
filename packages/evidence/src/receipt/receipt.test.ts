import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { describe, test } from "node:test";
import { Sign1 } from "@auth0/cose";
import { formatStatementKey, type Signer } from "@catalyst/identity";
import { decodeCbor } from "@catalyst/wire";
import { alpha, beta, now, optionsFor, rootOf } from "../../test/parties.ts";
import { receipts } from "../../test/receipts.ts";
import { refusal } from "../../test/refusal.ts";
import { encodeReceipt, readReceipt } from "./receipt.ts";
import { signReceipt } from "./sign.ts";
import { verifyReceipt } from "./verify.ts";

const all = Object.values(receipts);
const options = await optionsFor(rootOf(alpha.name, alpha.signer), rootOf(beta.name, beta.signer));

describe("a receipt of each kind", () => {
  for (const receipt of all) {
    test(`${receipt.kind}: the payload is read as what was written`, () => {
      assert.deepEqual(readReceipt(decodeCbor(encodeReceipt(receipt))), receipt);
    });
    test(`${receipt.kind}: signed by one, it verifies here and with another COSE library`, async () => {
      const bytes = signReceipt(alpha.signer, receipt, { issuer: alpha.name, issuedAt: now });
      const verified = await verifyReceipt([bytes], options);
      assert.deepEqual(verified.receipt, receipt);
      await verifyElsewhere(bytes, alpha.signer);
    });
    test(`${receipt.kind}: signed by two, both signatures are over the same bytes and verify with another COSE library`, async () => {
      const envelopes = [alpha, beta].map(({ name, signer }) =>
        signReceipt(signer, receipt, { issuer: name, issuedAt: now }),
      );
      const { statements } = await verifyReceipt(envelopes, options);
      assert.deepEqual(statements[0]?.payloadBytes, statements[1]?.payloadBytes);
      for (const [at, { signer }] of [alpha, beta].entries()) {
        await verifyElsewhere(envelopes[at] ?? new Uint8Array(), signer);
      }
    });
  }
});

test("the other COSE library refuses a signature of another key", async () => {
  const bytes = signReceipt(alpha.signer, receipts.pin, { issuer: alpha.name, issuedAt: now });
  await assert.rejects(verifyElsewhere(bytes, beta.signer));
});

test("any changed byte of an envelope is refused with a code", async () => {
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

/** Verifies with `@auth0/cose`. Throws when it refuses. */
async function verifyElsewhere(bytes: Uint8Array, { publicKey }: Signer): Promise<void> {
  const x = formatStatementKey(publicKey);
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  await Sign1.decode(bytes).verify(key);
}
