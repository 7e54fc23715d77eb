import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nodeCrypto, type VerifyCrypto, webCrypto } from "@catalyst/evidence";
import {
  createSigner,
  IdentityError,
  isSoundSignature,
  privateKeyOf,
  type StatementKey,
  statementKey,
} from "@catalyst/identity";
import fc from "fast-check";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const read = <Content>(path: string) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, "../../../spec/vectors/ed25519", path), "utf8"),
  ) as Content;

type Rfc = { vectors: { name: string; seed: string; key: string; message: string; signature: string }[] };
type Wycheproof = {
  testGroups: {
    publicKey: { pk: string };
    tests: { tcId: number; comment: string; msg: string; sig: string; result: "valid" | "invalid" }[];
  }[];
};

const rfc = read<Rfc>("rfc8032.json").vectors;
const wycheproof = read<Wycheproof>("wycheproof.json").testGroups;

for (const [platform, crypto] of Object.entries({ Node: nodeCrypto, "Web Cryptography": webCrypto() })) {
  describe(`verifying with ${platform}`, () => {
    for (const { name, key, message, signature } of rfc) {
      test(`RFC 8032 §7.1, ${name}: the signature is good, and any other is not`, async () => {
        assert.ok(await judge(crypto, hex(key), hex(message), hex(signature)));
        assert.equal(await judge(crypto, hex(key), Uint8Array.of(...hex(message), 0), hex(signature)), false);
      });
    }
    test("each of Wycheproof's cases is judged as published", async () => {
      let count = 0;
      for (const { publicKey, tests } of wycheproof) {
        for (const { tcId, comment, msg, sig, result } of tests) {
          const good = await judge(crypto, hex(publicKey.pk), hex(msg), hex(sig));
          assert.equal(good, result === "valid", `case ${tcId}: ${comment}`);
          count++;
        }
      }
      assert.equal(count, 151);
    });
    test("32 bytes that are no point of the curve verify nothing, and throw nothing", async () => {
      const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
      await fc.assert(
        fc.asyncProperty(bytes(32), bytes(64), async (key, signature) => {
          assert.equal(await judge(crypto, key, hex("00"), signature), false);
          signature[63] = 0;
          assert.equal(await judge(crypto, key, hex("00"), signature), false);
        }),
      );
    });
    test("SHA-256 of the empty message is the published one", async () => {
      const digest = Buffer.from(await crypto.sha256(new Uint8Array())).toString("hex");
      assert.equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    });
  });
}

for (const { name, seed, key, message, signature } of rfc) {
  test(`RFC 8032 §7.1, ${name}: signing gives the published signature`, () => {
    const head = Buffer.from("302e020100300506032b657004220420", "hex");
    const der = Buffer.concat([head, hex(seed)]);
    const signer = createSigner(privateKeyOf(createPrivateKey({ key: der, format: "der", type: "pkcs8" })));
    assert.deepEqual(signer.publicKey.x, hex(key));
    assert.equal(Buffer.from(signer.sign(hex(message))).toString("hex"), signature);
  });
}

/** What verification does with a key, a message and a signature: spec/evidence.md §2.2. */
async function judge(
  crypto: VerifyCrypto,
  x: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  let key: StatementKey;
  try {
    key = statementKey(x);
  } catch (error) {
    if (error instanceof IdentityError) return false;
    throw error;
  }
  return isSoundSignature(signature) && (await crypto.verifyEd25519(key, message, signature));
}
