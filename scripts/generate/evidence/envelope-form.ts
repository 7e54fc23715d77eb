import { encodeCbor } from "@catalyst/wire";
import { type Forgery, forge } from "../../../packages/evidence/test/forge.ts";
import { alpha, now } from "../../../packages/evidence/test/parties.ts";
import { type BadCase, longName, nested, sized } from "./envelope-case.ts";

// Envelopes of which the form is wrong already: spec/evidence.md §1.4.

export function badForms(): Record<string, BadCase> {
  const canonical = forge();
  const forged = (code: string, forgery: Forgery): BadCase => ({ bytes: forge(forgery), code });
  return {
    "no bytes": { bytes: new Uint8Array(), code: "cbor_refused", cause: "cbor_truncated" },
    "4097 bytes": { bytes: sized(4_097), code: "too_large" },
    "a byte after the envelope": {
      bytes: Uint8Array.of(...canonical, 0),
      code: "cbor_refused",
      cause: "cbor_trailing",
    },
    "a length that is not in its shortest form": {
      bytes: Uint8Array.of(0xd2, 0x98, 0x04, ...canonical.subarray(2)),
      code: "cbor_refused",
      cause: "cbor_not_shortest",
    },
    "another tag": {
      bytes: Uint8Array.of(0xd1, ...canonical.subarray(1)),
      code: "cbor_refused",
      cause: "cbor_tag",
    },
    "a COSE_Sign, tag 98": {
      bytes: Uint8Array.of(0xd8, 98, ...canonical.subarray(1)),
      code: "cbor_refused",
      cause: "cbor_tag",
    },
    "parts of indefinite length": {
      bytes: Uint8Array.of(0xd2, 0x9f, ...canonical.subarray(2), 0xff),
      code: "cbor_refused",
      cause: "cbor_indefinite",
    },
    "a tag in the tag": { bytes: Uint8Array.of(0xd2, ...canonical), code: "envelope_form" },
    "no tag": forged("envelope_form", { tag: null }),
    "three parts": forged("envelope_form", { parts: (parts) => parts.slice(0, 3) }),
    "five parts": forged("envelope_form", { parts: (parts) => [...parts, 0] }),
    "a tagged map": forged("envelope_form", { parts: () => new Map() }),
    "a protected header that is a map itself": forged("envelope_form", {
      parts: ([, ...others]) => [new Map([[1, -8]]), ...others],
    }),
    "an unprotected header that is a list": forged("envelope_form", { unprotected: [] }),
    "a payload that is text": forged("envelope_form", { payloadPart: "hello" }),
    "a signature of 63 bytes": forged("envelope_form", { spoil: (signature) => signature.subarray(1) }),
    "a signature of 65 bytes": forged("envelope_form", {
      spoil: (signature) => Uint8Array.of(...signature, 0),
    }),
    "the algorithm in the unprotected header": forged("header_unprotected", {
      header: { 1: null },
      unprotected: new Map([[1, -8]]),
    }),
    "the algorithm in both headers": forged("header_unprotected", { unprotected: new Map([[1, -8]]) }),
    "something in the unprotected header": forged("header_unprotected", { unprotected: new Map([[4, 0]]) }),
    "something in the unprotected header, and a detached payload: the header comes first": forged(
      "header_unprotected",
      { unprotected: new Map([[4, 0]]), payloadPart: null },
    ),
    "an envelope eight deep": {
      bytes: forge({ unprotected: new Map([[1, nested(5, 0)]]) }),
      code: "header_unprotected",
    },
    "an envelope nine deep": {
      bytes: forge({ unprotected: new Map([[1, nested(6, 0)]]) }),
      code: "cbor_refused",
      cause: "cbor_too_deep",
    },
    "an envelope of 1025 items": {
      bytes: forge({ parts: (parts) => [...parts, Array.from({ length: 1_018 }, () => 0)] }),
      code: "cbor_refused",
      cause: "cbor_too_many_items",
    },
    "a detached payload": forged("payload_detached", { payloadPart: null }),
    "a payload that is not canonical": {
      bytes: forge({ payload: Uint8Array.of(0x18, 0x01) }),
      code: "cbor_refused",
      cause: "cbor_not_shortest",
    },
    ...badPayloads(),
  };
}

function badPayloads(): Record<string, BadCase> {
  const payload = (cause: string, bytes: Uint8Array): BadCase => {
    return { bytes: forge({ payload: bytes }), code: "cbor_refused", cause };
  };
  return {
    "a payload of no bytes": payload("cbor_truncated", new Uint8Array()),
    "a payload that announces 2^40 items": payload("cbor_truncated", hex("9b0000010000000000")),
    "a payload with a key twice": payload("cbor_key_duplicate", hex("a2616101616102")),
    "a payload with a byte after it": payload("cbor_trailing", hex("a000")),
    "a payload with a number that is no integer": payload("cbor_float", hex("a16161f93e00")),
    "a payload of 1025 items": payload("cbor_too_many_items", encodeCbor(nested(8, 1_017))),
    "a payload nine deep": payload("cbor_too_deep", encodeCbor(nested(9, 0))),
  };
}

export function badHeaders(): Record<string, BadCase> {
  const header = (code: string, changes: Forgery["header"] & object): BadCase => ({
    bytes: forge({ header: changes }),
    code,
  });
  return {
    "no protected header": {
      bytes: forge({ protectedHeader: new Uint8Array() }),
      code: "header_missing",
    },
    "an empty map as the protected header": {
      bytes: forge({ protectedHeader: Uint8Array.of(0xa0) }),
      code: "header_missing",
    },
    "a protected header that is a list": {
      bytes: forge({ protectedHeader: Uint8Array.of(0x80) }),
      code: "header_invalid",
    },
    "a protected header with a parameter twice": {
      bytes: forge({ protectedHeader: Uint8Array.of(0xa2, 1, 0x27, 1, 0x27) }),
      code: "cbor_refused",
      cause: "cbor_key_duplicate",
    },
    "a protected header with its parameters out of order": {
      bytes: forge({ protectedHeader: hex("a204000127") }),
      code: "cbor_refused",
      cause: "cbor_key_order",
    },
    "a protected header with a byte after it": {
      bytes: forge({ protectedHeader: hex("a000") }),
      code: "cbor_refused",
      cause: "cbor_trailing",
    },
    "a protected header nine deep": {
      bytes: forge({ protectedHeader: encodeCbor(nested(9, 0)) }),
      code: "cbor_refused",
      cause: "cbor_too_deep",
    },
    "a protected header of 1025 items": {
      bytes: forge({ protectedHeader: encodeCbor(nested(1, 1_024)) }),
      code: "cbor_refused",
      cause: "cbor_too_many_items",
    },
    "claims with a claim twice": {
      bytes: forge({ protectedHeader: hex("a10fa201000100") }),
      code: "cbor_refused",
      cause: "cbor_key_duplicate",
    },
    "a critical extension": header("header_critical", { 2: [99], 99: 1 }),
    "a critical parameter that is known": header("header_critical", { 2: [4] }),
    "a parameter that is not known": header("header_unknown", { 3: "application/cbor" }),
    "a countersignature's parameter": header("header_unknown", { 5: new Uint8Array(8) }),
    "a parameter named by text": header("header_unknown", { extra: 1 }),
    "no algorithm": header("header_missing", { 1: null }),
    "algorithm ES256": header("algorithm_unsupported", { 1: -7 }),
    "algorithm Ed448": header("algorithm_unsupported", { 1: -53 }),
    "an algorithm that is text": header("algorithm_unsupported", { 1: "EdDSA" }),
    "an algorithm that is true": header("algorithm_unsupported", { 1: true }),
    "algorithm HS256": header("algorithm_unsupported", { 1: 5 }),
    "no kid": header("header_missing", { 4: null }),
    "a kid of 31 bytes": header("header_invalid", { 4: new Uint8Array(31) }),
    "a kid that is text": header("header_invalid", { 4: alpha.signer.kid }),
    "no claims": header("header_missing", { 15: null }),
    "claims that are a list": header("header_invalid", { 15: [] }),
    "no type": header("header_missing", { 16: null }),
    "a type that is a number": header("header_invalid", { 16: 60 }),
    "a type of no bytes": header("header_invalid", { 16: "" }),
    "a type of 129 bytes": header("header_invalid", { 16: "a".repeat(129) }),
    "a type beyond ASCII": header("header_invalid", { 16: "application/ü" }),
    "a type with a space": header("header_invalid", { 16: "application/a b" }),
  };
}

export function badClaims(): Record<string, BadCase> {
  const claim = (code: string, changes: Forgery["claims"] & object): BadCase => ({
    bytes: forge({ claims: changes }),
    code,
  });
  return {
    "a claim that is not known": claim("claim_unknown", { 8: new Map() }),
    "a claim named by text": claim("claim_unknown", { iss: alpha.name }),
    "no issuer": claim("claim_missing", { 1: null }),
    "no subject": claim("claim_missing", { 2: null }),
    "no time of issue": claim("claim_missing", { 6: null }),
    "no nonce": claim("claim_missing", { 7: null }),
    "an issuer in upper case": claim("claim_invalid", { 1: "N1.acme.catalyst.internal" }),
    "an issuer with an empty label": claim("claim_invalid", { 1: "n1..internal" }),
    "an issuer of 255 bytes": claim("claim_invalid", { 1: `a.${longName}` }),
    "an issuer with a label of 64 bytes": claim("claim_invalid", { 1: `${"a".repeat(64)}.internal` }),
    "an issuer with a hyphen at the end of a label": claim("claim_invalid", { 1: "n1-.internal" }),
    "an issuer of 254 bytes": claim("claim_invalid", { 1: `${longName}a` }),
    "an issuer with a hyphen at the beginning of a label": claim("claim_invalid", { 1: "-n1.internal" }),
    "an issuer of no bytes": claim("claim_invalid", { 1: "" }),
    "an issuer with a dot at its end": claim("claim_invalid", { 1: "acme.catalyst.internal." }),
    "an issuer that is a number": claim("claim_invalid", { 1: 1 }),
    "a subject that is bytes": claim("claim_invalid", { 2: hex("74657374") }),
    "a subject of 513 bytes": claim("claim_invalid", { 2: `${"ü".repeat(256)}a` }),
    "an empty subject": claim("claim_invalid", { 2: "" }),
    "an audience that is no name": claim("claim_invalid", { 3: "all" + " of you" }),
    "a negative time of issue": claim("claim_invalid", { 6: -1 }),
    "a time of issue that is text": claim("claim_invalid", { 6: "now" }),
    "a negative beginning": claim("claim_invalid", { 5: -1 }),
    "an expiry that is true": claim("claim_invalid", { 4: true }),
    "an expiry that is text": claim("claim_invalid", { 4: "tomorrow" }),
    "an expiry at the time of issue": claim("claim_invalid", { 4: now }),
    "an expiry before the beginning": claim("claim_invalid", { 4: now + 60, 5: now + 61 }),
    "a nonce of 15 bytes": claim("claim_invalid", { 7: new Uint8Array(15) }),
    "a nonce of 17 bytes": claim("claim_invalid", { 7: new Uint8Array(17) }),
    "a nonce that is text": claim("claim_invalid", { 7: "0123456789abcdef" }),
  };
}

function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
