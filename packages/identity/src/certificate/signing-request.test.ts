import assert from "node:assert/strict";
import { createPublicKey, createSign, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { element, readElements, sequence } from "../der.ts";
import { IdentityError } from "../errors.ts";
import { createSigningRequest, readSigningRequest } from "./signing-request.ts";
import { newSecret } from "./test-organisation.ts";
import { loadX509, signatureAlgorithm, signingHandle, verifyingHandle } from "./x509.ts";

const subject = { node: "n2", domain: "acme.catalyst.internal" };
const malformed = (error: unknown) => error instanceof IdentityError && error.code === "request_malformed";

test("a request gives its key, and nothing else of it is read", async () => {
  const secret = newSecret();
  const key = readSigningRequest(await createSigningRequest(secret, subject));
  assert.ok(key.equals(createPublicKey(secret)));
});

test("a request that asks for an authority and for names gives its key all the same, and no more", async () => {
  const x509 = await loadX509();
  const secret = newSecret();
  const greedy = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=root",
    signingAlgorithm: signatureAlgorithm(secret),
    keys: { privateKey: signingHandle(secret), publicKey: verifyingHandle(secret) },
    extensions: [
      new x509.BasicConstraintsExtension(true, 5, true),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "n1.acme.catalyst.internal" }]),
    ],
  });
  const key = readSigningRequest(new Uint8Array(greedy.rawData));
  assert.ok(key.equals(createPublicKey(secret)));
});

test("a request whose key did not sign it is refused", async () => {
  const [info, algorithm] = insideOf(await createSigningRequest(newSecret(), subject));
  const foreign = sign("sha256", info, newSecret());
  const forged = sequence(info, algorithm, element(0x03, Buffer.concat([Buffer.of(0), foreign])));
  assert.throws(() => readSigningRequest(forged), malformed);
});

test("a request with a key of another kind, or signed in another way, is refused", async () => {
  const p384 = await createSigningRequest(newSecret("P-384"), subject);
  assert.throws(() => readSigningRequest(p384), malformed);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const [info] = insideOf(await createSigningRequest(privateKey, subject));
  const sha512 = Buffer.from("300a06082a8648ce3d040304", "hex");
  const signature = createSign("sha512").update(info).sign(privateKey);
  const other = sequence(info, sha512, element(0x03, Buffer.concat([Buffer.of(0), signature])));
  assert.throws(() => readSigningRequest(other), malformed);
});

test("whatever a request is changed into, it is refused by name", async () => {
  const good = await createSigningRequest(newSecret(), subject);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Uint8Array.from(good);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.throws(() => readSigningRequest(changed), malformed);
    }),
    { numRuns: 300 },
  );
});

test("any bytes are read or refused by name", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => readSigningRequest(bytes), malformed);
      assert.throws(() => readSigningRequest(sequence(bytes)), malformed);
    }),
  );
  assert.throws(() => readSigningRequest(new Uint8Array(5_000)), malformed);
});

/** What is signed, and how. */
function insideOf(der: Uint8Array): readonly [info: Uint8Array, algorithm: Uint8Array] {
  const none = new Uint8Array();
  const [outer] = readElements(der) ?? [];
  const [info, algorithm] = readElements(outer?.content ?? none) ?? [];
  return [info?.bytes ?? none, algorithm?.bytes ?? none];
}
