import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { IdentityError } from "../errors.ts";
import { formatJoinToken, joinTokenId, parseJoinToken } from "./join-token.ts";
import { enrolmentProof } from "./proof.ts";
import { readTrustBundle, trustBundle } from "./trust-bundle.ts";

type Named<Case> = Case & { readonly name: string };

function vectorsOf<Case>(file: string): readonly Named<Case>[] {
  const path = join(import.meta.dirname, "../../../../spec/vectors/enrolment", file);
  return (JSON.parse(readFileSync(path, "utf8")) as { vectors: Named<Case>[] }).vectors;
}

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");

type TokenCase = {
  text: string;
  id: string;
  value: { addresses: string[]; domain: string; expires: number; node: string; root: string; secret: string };
};
for (const { name, text, id, value } of vectorsOf<TokenCase>("token/good.json")) {
  test(`a token, good: ${name}`, () => {
    const token = { ...value, root: bytes(value.root), secret: bytes(value.secret) };
    assert.deepEqual(parseJoinToken(text), token);
    assert.equal(formatJoinToken(token), text);
    assert.equal(joinTokenId(token.secret), id);
  });
}

for (const { name, text, code } of vectorsOf<{ text: string; code: string }>("token/bad.json")) {
  test(`a token, refused as ${code}: ${name}`, () => {
    assert.throws(() => parseJoinToken(text), { name: "IdentityError", code });
  });
}

type ProofCase = { secret: string; binding: string; requests: Record<string, string>; proof: string };
for (const { name, secret, binding, requests, proof } of vectorsOf<ProofCase>("proof/good.json")) {
  test(`a proof: ${name}`, () => {
    const given = Object.entries(requests).map(([process, text]) => [process, bytes(text)] as const);
    assert.equal(hex(enrolmentProof(bytes(secret), bytes(binding), Object.fromEntries(given))), proof);
  });
}

type BundleCase = { bundle: unknown; roots: string[]; tokenKeys: string[] };
for (const { name, bundle, roots, tokenKeys } of vectorsOf<BundleCase>("bundle/good.json")) {
  test(`a trust bundle, good: ${name}`, () => {
    const read = readTrustBundle(trustBundle.parse(bundle));
    assert.deepEqual(read.roots.map(hex), roots);
    assert.deepEqual(
      read.tokenKeys.map(({ kid }) => kid),
      tokenKeys,
    );
  });
}

for (const { name, bundle } of vectorsOf<{ bundle: unknown }>("bundle/bad.json")) {
  test(`a trust bundle, refused: ${name}`, () => {
    const read = trustBundle.safeParse(bundle);
    if (!read.success) return;
    assert.throws(() => readTrustBundle(read.data), IdentityError);
  });
}
