import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { generateKey, IdentityError, publicKeyOf } from "@catalyst/identity";
import fc from "fast-check";
import { hostileBytes } from "../../wire/test/mutation.ts";
import { openKeyFile, readKeyFile, writeKeyFile } from "./key-file.ts";

const refusedAs = (code: string) => (error: unknown) => error instanceof IdentityError && error.code === code;
const open = (text: string, passphrase: string | null) =>
  openKeyFile(readKeyFile(text, "k.pem"), passphrase, "k.pem");

const keys = [generateKey("Ed25519"), generateKey("P-256")];
const plain = await Promise.all(keys.map((key) => writeKeyFile(key, null)));
const hidden = await Promise.all(keys.map((key) => writeKeyFile(key, "one")));

test("a changed key file is opened as a key or refused with a code, whatever it was changed to", () => {
  const seeds = plain.map((text) => new TextEncoder().encode(text));
  let opened = 0;
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      try {
        open(new TextDecoder().decode(bytes), null);
        opened++;
      } catch (error) {
        assert.ok(error instanceof IdentityError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(opened > 0);
});

test("a changed encrypted key file is refused with a code, before it costs more than a good one", () => {
  const seeds = hidden.map((text) => new TextEncoder().encode(text));
  fc.assert(
    fc.property(hostileBytes(seeds), (bytes) => {
      const start = performance.now();
      try {
        open(new TextDecoder().decode(bytes), "one");
      } catch (error) {
        assert.ok(error instanceof IdentityError, String(error));
      }
      assert.ok(performance.now() - start < 2_000);
    }),
    { numRuns: 150 },
  );
});

test("a private key that is encrypted in another way is not tried: one try could take hours", () => {
  const [text = ""] = plain;
  const secret = text.slice(0, text.indexOf("-----BEGIN PUBLIC"));
  for (const how of [["-v2", "aes256", "-iter", "1000"], ["-v2", "aes256"], ["-scrypt"]]) {
    const args = ["pkcs8", "-topk8", "-passout", "pass:one", ...how];
    const other = execFileSync("openssl", args, { input: secret, encoding: "utf8" });
    assert.throws(() => open(other + text.slice(secret.length), "one"), refusedAs("key_damaged"));
  }
});

test("keys of other kinds and curves are refused by their kind", () => {
  const others: readonly KeyObject[] = [
    generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey,
    generateKeyPairSync("dsa", { modulusLength: 1_024, divisorLength: 160 }).publicKey,
    generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
    generateKeyPairSync("ec", { namedCurve: "secp224r1" }).publicKey,
    generateKeyPairSync("ed448").privateKey,
    generateKeyPairSync("x25519").publicKey,
  ];
  for (const key of others) assert.throws(() => publicKeyOf(key), refusedAs("key_algorithm"));
});
