import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createTrust,
  EvidenceError,
  nodeCrypto,
  type VerifyCrypto,
  type VerifyOptions,
  verifyStatement,
  webCrypto,
} from "@catalyst/evidence";
import { WireError } from "@catalyst/wire";
import fc from "fast-check";
import { fromHex } from "../../../wire/test/hex.ts";
import { hostileBytes } from "../../../wire/test/mutation.ts";
import { readCases } from "../../../wire/test/vectors.ts";
import { forge } from "../../test/forge.ts";
import { alpha, now, optionsFor, rootOf } from "../../test/parties.ts";
import { refusal } from "../../test/refusal.ts";
import { fromRootNotation, type RootNotation } from "../../test/vectors.ts";
import { toBeSigned } from "./sign1.ts";

const type = "application/vnd.catalyst.test+cbor";

type Case = {
  readonly hex: string;
  readonly roots: readonly RootNotation[];
  readonly delegations?: readonly string[];
  readonly asOf: number;
  readonly audience?: string;
};
type BadCase = Case & { readonly code: string; readonly cause?: string };

const good = readCases<Case>("evidence-envelope/good.json");
const bad = readCases<BadCase>("evidence-envelope/bad.json");
const platforms: Readonly<Record<string, VerifyCrypto>> = {
  Node: nodeCrypto,
  "Web Cryptography": webCrypto(),
};

for (const [platform, crypto] of Object.entries(platforms)) {
  describe(`the vectors of spec/evidence.md §1 and §2, with ${platform}`, () => {
    for (const one of good) {
      test(`${one.name}: accepted`, async () => {
        await verifyCase(one, crypto);
      });
    }
    for (const { code, cause, ...one } of bad) {
      test(`${one.name}: refused as ${code}`, async () => {
        await assert.rejects(verifyCase(one, crypto), (error) => {
          assert.ok(error instanceof EvidenceError, String(error));
          assert.equal(error.code, code, error.message);
          assert.equal(error.cause instanceof WireError ? error.cause.code : undefined, cause);
          return true;
        });
      });
    }
  });
}

test("a verified statement tells its payload, its CID and the way from the root to the signer", async () => {
  const one = good.find(({ name }) => name === "two delegations from an organisation");
  assert.ok(one !== undefined);
  const { payload, path, cid } = await verifyCase(one, nodeCrypto);
  assert.deepEqual(payload, new Map([["hello", "world"]]));
  assert.deepEqual(
    path.map(({ name, delegation }) => [name, delegation]),
    [
      ["acme.catalyst.internal", null],
      ["n1.acme.catalyst.internal", 0],
      ["n1.acme.catalyst.internal", 1],
    ],
  );
  assert.match(cid, /^b/);
});

test("a protected header without members is signed as no bytes, in whichever form it came", () => {
  const payload = Uint8Array.of(1);
  const none = toBeSigned(new Uint8Array(), payload);
  assert.deepEqual(toBeSigned(Uint8Array.of(0xa0), payload), none);
  assert.equal(Buffer.from(none).toString("hex"), `846a${Buffer.from("Signature1").toString("hex")}40404101`);
});

test("hostile bytes are refused with a code, or are a statement that its key did sign", async () => {
  const options = await optionsFor(rootOf(alpha.name, alpha.signer));
  const seeds = [...good, ...bad].map(({ hex }) => fromHex(hex)).filter(({ length }) => length > 0);
  const signed = new Set([...good, ...bad].map(({ hex }) => hex));
  await fc.assert(
    fc.asyncProperty(hostileBytes(seeds), async (bytes) => {
      const code = await refusal(() => verifyStatement(bytes, type, options));
      if (code === null) assert.ok(signed.has(Buffer.from(bytes).toString("hex")));
    }),
    { numRuns: 5_000 },
  );
});

test("many delegations that lead round in circles are refused in bounded time", async () => {
  const bytes = good.find(({ name }) => name === "a delegated key");
  assert.ok(bytes !== undefined);
  const circle = bad.find(({ name }) => name === "a key that lends itself")?.delegations?.[0] ?? "";
  const delegations = Array.from({ length: 64 }, () => fromHex(circle));
  const trust = await createTrust({ roots: [rootOf(alpha.name, alpha.signer)], delegations }, nodeCrypto);
  const start = performance.now();
  const options: VerifyOptions = { crypto: nodeCrypto, trust, asOf: now };
  assert.equal(await refusal(() => verifyStatement(fromHex(bytes.hex), type, options)), "issuer_untrusted");
  assert.ok(performance.now() - start < 1_000);
});

test("the skew that is allowed is the caller's", async () => {
  const options = await optionsFor(rootOf(alpha.name, alpha.signer));
  const ahead = forge({ claims: { 6: now + 10 } });
  assert.equal(
    await refusal(() => verifyStatement(ahead, type, { ...options, maxSkewSeconds: 9 })),
    "issued_in_future",
  );
  assert.equal(await refusal(() => verifyStatement(ahead, type, { ...options, maxSkewSeconds: 10 })), null);
});

async function verifyCase({ hex, roots, delegations = [], asOf, audience }: Case, crypto: VerifyCrypto) {
  const input = { roots: roots.map(fromRootNotation), delegations: delegations.map(fromHex) };
  const trust = await createTrust(input, crypto);
  const options = { crypto, trust, asOf, ...(audience === undefined ? {} : { audience }) };
  return verifyStatement(fromHex(hex), type, options);
}
