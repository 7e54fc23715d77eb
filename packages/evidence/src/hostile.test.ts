import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createTrust,
  decodeBundle,
  decodeDecision,
  decodeReceiptFile,
  nodeCrypto,
  parseAuditHead,
  readDelegation,
  signAuditHead,
  signStatement,
  statementType,
  type VerifyCrypto,
  verifyAuditHead,
  verifyBundle,
  verifyReceipt,
} from "@catalyst/evidence";
import { decodeCbor, encodeCbor } from "@catalyst/wire";
import fc from "fast-check";
import { costlyBytes, hostileBytes, msOf } from "../../wire/test/mutation.ts";
import { forge } from "../test/forge.ts";
import { alpha, now, optionsFor, rootOf, signerOf } from "../test/parties.ts";
import { receipts } from "../test/receipts.ts";
import { refusal } from "../test/refusal.ts";
import { emptyHead, followEntry } from "./audit/entry.ts";
import { encodeReceipt, readReceipt } from "./receipt/receipt.ts";
import { signDelegation } from "./sign.ts";

// Readers of what strangers send: they throw coded errors alone (`refusal` lets no other pass), and soon. Bytes that
// were changed after signing stop at the signature; what is signed here was changed before.

const roots = [rootOf(alpha.name, alpha.signer)];
const options = await optionsFor(...roots);
const claims = { issuer: alpha.name, subject: "receipt:storage", issuedAt: now };
const payloads = Object.values(receipts).map(encodeReceipt);

/** What a payload that says its kind has to be about. */
function subjectOf(payload: Uint8Array): string {
  try {
    return `receipt:${readReceipt(decodeCbor(payload)).kind}`;
  } catch {
    return claims.subject;
  }
}

test("a receipt whose signer is hostile is read as what it says, or refused with a code", async () => {
  const accepted = { count: 0 };
  await fc.assert(
    fc.asyncProperty(hostileBytes(payloads), async (payload) => {
      const code = await refusal(async () => {
        const subject = subjectOf(payload);
        const bytes = signStatement(alpha.signer, statementType.receipt, { ...claims, subject }, payload);
        const { receipt } = await verifyReceipt([bytes], options);
        accepted.count++;
        if (receipt.scope !== "federation") assert.deepEqual(encodeReceipt(receipt), payload);
      });
      assert.notEqual(code, "signature_invalid");
    }),
    { numRuns: 3_000 },
  );
  assert.ok(accepted.count > 20, `${accepted.count} were accepted`);
});

test("a hostile header that is signed is read or refused with a code", async () => {
  const header = forge().subarray(4, 4 + (forge()[3] ?? 0));
  await fc.assert(
    fc.asyncProperty(hostileBytes([header]), async (protectedHeader) => {
      await refusal(() => verifyReceipt([forge({ protectedHeader })], options));
    }),
    { numRuns: 3_000 },
  );
});

const lent = { name: alpha.name, signer: signerOf("lent") };
const delegation = signDelegation(alpha.signer, {
  issuer: alpha.name,
  subject: lent.name,
  key: lent.signer.publicKey,
  types: [statementType.receipt],
  issuedAt: now,
  lifetimeSeconds: 3_600,
});

test("hostile delegations, signed or not, are read or refused with a code", async () => {
  const payload = encodeCbor({
    key: new Map<number, number | Uint8Array>([
      [1, 1],
      [-1, 6],
      [-2, lent.signer.publicKey.x],
    ]),
    types: [statementType.receipt],
  });
  const signed = (bytes: Uint8Array) =>
    forge({ type: statementType.delegation, payload: bytes, claims: { 2: lent.name, 4: now + 60 } });
  const hostile = fc.oneof(hostileBytes([delegation]), hostileBytes([payload]).map(signed));
  const receipt = signStatement(lent.signer, statementType.receipt, claims, payloads[0] ?? payload);
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { minLength: 1, maxLength: 3 }), async (delegations) => {
      await refusal(async () => {
        const trust = await createTrust({ roots, delegations }, nodeCrypto);
        await verifyReceipt([receipt], { ...options, trust });
      });
    }),
    { numRuns: 2_000 },
  );
});

test("hostile heads, as statements and as text, are read or refused with a code", async () => {
  const head = signAuditHead(alpha.signer, { seq: 7, digest: new Uint8Array(32) }, { ...claims });
  await fc.assert(
    fc.asyncProperty(hostileBytes([head]), fc.string({ unit: "binary" }), async (bytes, text) => {
      await refusal(() => verifyAuditHead(bytes, options));
      await refusal(() => parseAuditHead(text));
      await refusal(() => parseAuditHead(`${text.length}:${text}`));
    }),
    { numRuns: 1_000 },
  );
});

const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  "an envelope": (bytes) => verifyReceipt([bytes], options),
  "a delegation": readDelegation,
  "a file of receipts": (bytes) => verifyReceipt(decodeReceiptFile(bytes), options),
  "a form of a bundle": decodeBundle,
  "a bundle": (bytes) => verifyBundle(bytes, { crypto: nodeCrypto, roots, asOf: now }),
  "a decision": decodeDecision,
  "an entry": (bytes) => followEntry(emptyHead, bytes),
};

describe("what is made to cost its reader much", () => {
  for (const [name, read] of Object.entries(readers)) {
    for (const length of [4_096, 65_536, 1_048_576]) {
      test(`${name} of ${length} bytes: refused in a time in proportion`, async () => {
        for (const [what, bytes] of Object.entries(costlyBytes(length))) {
          assert.notEqual(await refusal(() => read(bytes)), null, what);
          const ms = await msOf(() => refusal(() => read(bytes)));
          assert.ok(ms < 10 + length / 5_000, `${what}: ${ms} ms`);
        }
      });
    }
    test(`${name} of twenty bytes that promise 2^40 items takes no memory`, async () => {
      const bytes = new Uint8Array(Buffer.from("829b0000010000000000".padEnd(40, "0"), "hex"));
      const before = process.memoryUsage().arrayBuffers;
      for (let round = 0; round < 100; round++) assert.notEqual(await refusal(() => read(bytes)), null);
      assert.ok(process.memoryUsage().arrayBuffers - before < 16e6);
    });
  }
});

test("delegations that lead back to each other, as many as a bundle holds, cost three signatures each at most", async () => {
  const signers = [alpha.signer, ...Array.from({ length: 32 }, (_, at) => signerOf(`circle ${at}`))];
  const signerAt = (at: number) => signers[at % signers.length] ?? alpha.signer;
  const delegations = Array.from({ length: 64 }, (_, at) =>
    signDelegation(signerAt(at), {
      issuer: alpha.name,
      subject: alpha.name,
      key: signerAt(at < 33 ? at + 1 : at * 7).publicKey,
      types: [statementType.receipt, statementType.delegation],
      issuedAt: now,
      lifetimeSeconds: 3_600,
    }),
  );
  let signatures = 0;
  const crypto: VerifyCrypto = {
    ...nodeCrypto,
    verifyEd25519: (...args) => {
      signatures++;
      return nodeCrypto.verifyEd25519(...args);
    },
  };
  const trust = await createTrust({ roots, delegations }, crypto);
  const codes = new Set<string | null>();
  for (const signer of signers) {
    const bytes = signStatement(signer, statementType.receipt, claims, payloads[0] ?? new Uint8Array());
    codes.add(await refusal(() => verifyReceipt([bytes], { ...options, trust })));
  }
  assert.deepEqual([...codes].sort(), ["issuer_untrusted", null]);
  assert.ok(signatures > 3 && signatures <= 3 * delegations.length, `${signatures} signatures`);
});
