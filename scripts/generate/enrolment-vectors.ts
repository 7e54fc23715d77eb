// The vectors of spec/enrolment.md: tokens, proofs and trust bundles. What they say is written down here; the root was
// made once, and its key thrown away.
import { createHash } from "node:crypto";
import {
  enrolmentProof,
  formatJoinToken,
  type JoinToken,
  joinTokenId,
  type TrustBundle,
  writeTrustBundle,
} from "@catalyst/identity";
import { encodeCbor } from "@catalyst/wire";
import { toHex } from "../../packages/wire/test/hex.ts";
import type { Generated } from "../generate.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

const root = Uint8Array.from(
  Buffer.from(
    "MIICRDCCAcqgAwIBAgIQSKfCoonIG6+rT6nvxnbT9zAKBggqhkjOPQQDAzBiMRYwFAYDVQQDEw1yb290IDQ4YTdjMmEyMRQwEgYKCZImiZPyLGQBGRYEYWNtZTEYMBYGCgmSJomT8ixkARkWCGNhdGFseXN0MRgwFgYKCZImiZPyLGQBGRYIaW50ZXJuYWwwHhcNMjcwMTE1MDc1OTAwWhcNMzcwMTEyMDgwMDAwWjBiMRYwFAYDVQQDEw1yb290IDQ4YTdjMmEyMRQwEgYKCZImiZPyLGQBGRYEYWNtZTEYMBYGCgmSJomT8ixkARkWCGNhdGFseXN0MRgwFgYKCZImiZPyLGQBGRYIaW50ZXJuYWwwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAASXQYVP2sN6gDQZGMlzSo2iDCa8stSu1JWoprgyd5dNNEkOu3FJxicVE1F4/RwXfunkdkCrbMhll0KhHuXOCALhcqLSSe0VzclgRa73fEgp0la+Ruat/Rix2xJQucJ1NCyjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQEwDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBReOhAnca5dRONqOhsssJ69s/ct+TAKBggqhkjOPQQDAwNoADBlAjEAqNmawabWtqclu32eA7cWJzpZa6yE0hPm9k3yPybirj9c3vKZnF9wD8ZXgLb5qujqAjAhHiV+6gHuzCfggN9p5fnf/dHpo8q+WKLlNM050qYWObDICe2Cu0C0KncpzAnCLR8=",
    "base64",
  ),
);
const sha256 = (bytes: Uint8Array | string) => Uint8Array.from(createHash("sha256").update(bytes).digest());
const secretOf = (word: string) => sha256(word).subarray(0, 16);

const plain: JoinToken = {
  addresses: ["192.0.2.1:10002"],
  domain: "acme.catalyst.internal",
  expires: 1_800_000_600,
  node: "n2",
  root: sha256(root),
  secret: secretOf("join"),
};

const tokens: Readonly<Record<string, JoinToken>> = {
  "a token": plain,
  "several addresses, of names and of IPv6": {
    ...plain,
    addresses: ["root.acme.example:443", "[2001:db8::1]:10002", "192.0.2.1:10002"],
  },
  "the longest labels": { ...plain, node: "n".repeat(63), domain: `${"a".repeat(63)}.internal` },
  "the last second": { ...plain, expires: 2 ** 40 },
};

/** A token of any map, in the form of good ones. */
function tokenOf(map: object, { prefix = "join1.", checksum = true } = {}): string {
  const body = encodeCbor({ ...map });
  const sum = checksum ? sha256(body).subarray(0, 4) : new Uint8Array(4);
  return `${prefix}${Buffer.concat([body, sum]).toString("base64url")}`;
}

const { node: _, ...nodeless } = plain;
const badTokens: Readonly<Record<string, string>> = {
  "no text": "",
  "the prefix alone": "join1.",
  "another prefix": tokenOf(plain, { prefix: "join2." }),
  "a checksum that is not its own": tokenOf(plain, { checksum: false }),
  "a character less": formatJoinToken(plain).slice(0, -1),
  "a space behind": `${formatJoinToken(plain)} `,
  padding: `${formatJoinToken(plain)}=`,
  "no node": tokenOf(nodeless),
  "a member that is not known": tokenOf({ ...plain, port: 1 }),
  "no address": tokenOf({ ...plain, addresses: [] }),
  "nine addresses": tokenOf({ ...plain, addresses: Array.from({ length: 9 }, () => "192.0.2.1:1") }),
  "an address without a port": tokenOf({ ...plain, addresses: ["192.0.2.1"] }),
  "a node of two labels": tokenOf({ ...plain, node: "n2.acme" }),
  "a node in upper case": tokenOf({ ...plain, node: "N2" }),
  "a secret of 15 bytes": tokenOf({ ...plain, secret: plain.secret.subarray(1) }),
  "a root of 31 bytes": tokenOf({ ...plain, root: plain.root.subarray(1) }),
  "an end before 1970": tokenOf({ ...plain, expires: -1 }),
  "no map": tokenOf([1, 2]),
  "too long": `join1.${"A".repeat(2_043)}`,
};

const proofs = [
  { name: "one process", secret: "join", requests: { auth: "request of auth" } },
  {
    name: "two processes",
    secret: "join",
    requests: { auth: "request of auth", orchestrator: "request of orchestrator" },
  },
  { name: "another secret", secret: "other", requests: { auth: "request of auth" } },
].map(({ name, secret, requests }) => {
  const binding = sha256(`binding of ${name}`);
  const bytes = Object.entries(requests).map(
    ([process, text]) => [process, Uint8Array.from(Buffer.from(text))] as const,
  );
  const proof = enrolmentProof(secretOf(secret), binding, Object.fromEntries(bytes));
  const hex = bytes.map(([process, der]) => [process, toHex(der)] as const);
  return {
    name,
    secret: toHex(secretOf(secret)),
    id: joinTokenId(secretOf(secret)),
    binding: toHex(binding),
    requests: Object.fromEntries(hex),
    proof: toHex(proof),
  };
});

const tokenKey = {
  kty: "EC",
  crv: "P-256",
  x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
  kid: "Xh3CrcHVvK6LlHzrmFgrWTwsQDr6GMh4aMvVOV_H9w8",
} as const;
const bundle = writeTrustBundle({ sequence: 7, refreshSeconds: 300, roots: [root], tokenKeys: [tokenKey] });
const alone = writeTrustBundle({ sequence: 1, refreshSeconds: 1, roots: [root], tokenKeys: [] });

const changed = (change: object, use = "x509-svid"): TrustBundle =>
  ({
    ...bundle,
    keys: bundle.keys.map((key) => (key.use === use ? { ...key, ...change } : key)),
  }) as TrustBundle;

const badBundles: Readonly<Record<string, object>> = {
  "no key": { ...bundle, keys: [] },
  "no sequence": { ...bundle, spiffe_sequence: undefined },
  "a root whose certificate is of another key": changed({ x: tokenKey.x.repeat(2).slice(0, 64) }),
  "a root without a certificate": changed({ x5c: [] }),
  "a root with two certificates": changed({ x5c: [Buffer.from(root).toString("base64"), "AA=="] }),
  "a certificate that is none": changed({ x5c: ["AAAA"] }),
  "a key of another use": changed({ use: "sig" }, "jwt-svid"),
  "a token key without a name": changed({ kid: undefined }, "jwt-svid"),
};

const about = (section: number) => `spec/enrolment.md section ${section}`;
const named = <Value>(cases: Readonly<Record<string, Value>>, show: (value: Value) => object) =>
  Object.entries(cases).map(([name, value]) => ({ name, ...show(value) }));

const files: Readonly<Record<string, VectorFile>> = {
  "token/good": {
    about: about(3),
    vectors: named(tokens, (token) => ({
      text: formatJoinToken(token),
      id: joinTokenId(token.secret),
      value: { ...token, root: toHex(token.root), secret: toHex(token.secret) },
    })),
  },
  "token/bad": {
    about: about(3),
    vectors: named(badTokens, (text) => ({ text, code: "join_token_malformed" })),
  },
  "proof/good": { about: about(4), vectors: proofs },
  "bundle/good": {
    about: about(5),
    vectors: named({ "a root and a token key": bundle, "a root alone": alone }, (value) => ({
      bundle: value,
      roots: [toHex(root)],
      tokenKeys: value.keys.flatMap((key) => (key.use === "jwt-svid" ? [key.kid] : [])),
    })),
  },
  "bundle/bad": { about: about(5), vectors: named(badBundles, (value) => ({ bundle: value })) },
};

export function generateEnrolmentVectors(): readonly Generated[] {
  return Object.entries(files).map(([name, file]) => {
    const path = `spec/vectors/enrolment/${name}.json`;
    return { path, content: format(path, JSON.stringify(file)) };
  });
}
