import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createTestOrganisation } from "../certificate/test-organisation.ts";
import { IdentityError } from "../errors.ts";
import { tokenJwkOf } from "../jwks.ts";
import { publicKeyOf } from "../private-key.ts";
import type { TokenKey } from "../public-key.ts";
import {
  decodeEnrolmentAnswer,
  decodeEnrolmentRequest,
  decodeRenewalRequest,
  encodeEnrolmentAnswer,
  encodeEnrolmentRequest,
  encodeRenewalRequest,
} from "./enrolment.ts";
import { encodeMessage } from "./message.ts";
import { enrolmentProof, isProof, requestsDigest } from "./proof.ts";
import { readTrustBundle, trustBundle, writeTrustBundle } from "./trust-bundle.ts";
import { peerTrustOf, readTrustDocument, type TrustDocument } from "./trust-document.ts";

const acme = await createTestOrganisation("acme.catalyst.internal");
const tokenKey = publicKeyOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey) as TokenKey;
const bundle = writeTrustBundle({
  sequence: 7,
  refreshSeconds: 300,
  roots: [acme.root.certificate],
  tokenKeys: [tokenJwkOf(tokenKey)],
});
const trust: TrustDocument = {
  version: 7,
  domain: acme.domain,
  authority: ["192.0.2.1:10002"],
  bundle,
  issuers: [],
  revoked: [],
  denied: [{ node: "n9", serial: null, until: null }],
};
const request = {
  token: "00112233aabbccdd",
  requests: { auth: Uint8Array.of(1, 2), envoy: Uint8Array.of(3) },
  proof: new Uint8Array(32).fill(7),
};
const malformed = (error: unknown) => error instanceof IdentityError && error.code === "message_malformed";

test("messages of enrolment are read as they were written", () => {
  assert.deepEqual(decodeEnrolmentRequest(encodeEnrolmentRequest(request)), request);
  assert.deepEqual(decodeRenewalRequest(encodeRenewalRequest(request.requests)), request.requests);
  const answer = {
    domain: acme.domain,
    node: "n2",
    chains: { auth: [Uint8Array.of(1), Uint8Array.of(2)] },
    trust,
  };
  assert.deepEqual(decodeEnrolmentAnswer(encodeEnrolmentAnswer(answer)), answer);
});

test("members that a reader does not know are passed over", () => {
  const bytes = encodeMessage({ ...request, later: [1, 2] });
  assert.deepEqual(decodeEnrolmentRequest(bytes), request);
});

test("a request for another process than a node has is refused, and one for the authority's own certificate too", () => {
  for (const process of ["authority", "root", "Envoy", "__proto__", "x"]) {
    const bytes = encodeMessage({ ...request, requests: new Map([[process, Uint8Array.of(1)]]) });
    assert.throws(() => decodeEnrolmentRequest(bytes), malformed);
  }
  assert.throws(() => decodeEnrolmentRequest(encodeMessage({ ...request, requests: {} })), malformed);
});

test("any bytes, and any change of good ones, are read or refused by name", () => {
  const readers = [decodeEnrolmentRequest, decodeRenewalRequest, decodeEnrolmentAnswer];
  const survives = (bytes: Uint8Array) => {
    for (const reader of readers) {
      try {
        reader(bytes);
      } catch (error) {
        assert.ok(malformed(error), String(error));
      }
    }
  };
  const good = encodeEnrolmentAnswer({ domain: acme.domain, node: "n2", chains: {}, trust });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survives));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => survives(good.with(at, byte))),
    { numRuns: 300 },
  );
});

test("a proof is good for its secret, its connection and its requests alone", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const inputs = fc.tuple(
    bytes(16),
    bytes(32),
    fc.dictionary(fc.constantFrom("auth", "envoy"), bytes(8), { minKeys: 1 }),
  );
  fc.assert(
    fc.property(inputs, inputs, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      assert.equal(isProof(enrolmentProof(...one), enrolmentProof(...other)), isSame);
      assert.ok(isProof(enrolmentProof(...one), enrolmentProof(...one)));
    }),
  );
  assert.equal(isProof(new Uint8Array(31), new Uint8Array(32)), false);
});

test("the same requests have one digest, whatever order they are in", () => {
  const { auth, envoy } = request.requests;
  assert.deepEqual(requestsDigest({ auth, envoy }), requestsDigest({ envoy, auth }));
  assert.notDeepEqual(requestsDigest({ auth, envoy }), requestsDigest({ auth: envoy, envoy: auth }));
});

test("a trust bundle has the form of SPIFFE: roots and token keys in one set", () => {
  assert.equal(bundle.spiffe_sequence, 7);
  assert.equal(bundle.spiffe_refresh_hint, 300);
  assert.deepEqual(
    bundle.keys.map(({ use, crv }) => [use, crv]),
    [
      ["x509-svid", "P-384"],
      ["jwt-svid", "P-256"],
    ],
  );
  const { roots, tokenKeys } = readTrustBundle(trustBundle.parse(JSON.parse(JSON.stringify(bundle))));
  assert.deepEqual(roots, [Uint8Array.from(acme.root.certificate)]);
  assert.deepEqual(tokenKeys[0]?.kid, tokenJwkOf(tokenKey).kid);
});

test("a trust bundle whose root is not the certificate of its key is refused", async () => {
  const other = await createTestOrganisation("acme.catalyst.internal");
  const x5c = [Buffer.from(other.root.certificate).toString("base64")];
  const forged = {
    ...bundle,
    keys: bundle.keys.map((key) => (key.use === "x509-svid" ? { ...key, x5c } : key)),
  };
  assert.throws(() => readTrustBundle(trustBundle.parse(forged)), /not the certificate of its key/);
});

test("the roots and denials of a trust document are those of its own domain", () => {
  const { roots, denied, pinned } = peerTrustOf(readTrustDocument(JSON.stringify(trust)));
  assert.deepEqual(
    roots.map(({ domain, thumbprint }) => [domain, thumbprint]),
    [[acme.domain, acme.root.thumbprint]],
  );
  assert.deepEqual(denied, [{ domain: acme.domain, node: "n9", serial: null }]);
  assert.deepEqual(pinned, []);
});

test("a trust document that is none is refused by name", () => {
  for (const text of [
    "",
    "[]",
    "{",
    JSON.stringify({ ...trust, version: 0 }),
    JSON.stringify({ ...trust, domain: "A" }),
  ]) {
    assert.throws(() => readTrustDocument(text), malformed);
  }
});
