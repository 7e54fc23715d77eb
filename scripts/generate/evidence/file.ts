import { encodeReceiptFile } from "@catalyst/evidence";
import { encodeCbor } from "@catalyst/wire";
import { now } from "../../../packages/evidence/test/parties.ts";
import { receipts } from "../../../packages/evidence/test/receipts.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { alphaRoot, betaRoot, rootNotation } from "./parties.ts";
import { signTwice } from "./receipt.ts";

const both = signTwice(receipts.pin);
const [one] = both;

const good: Readonly<Record<string, Uint8Array>> = {
  "an envelope": one,
  "an array of one envelope": encodeCbor([one]),
  "an array of two envelopes": encodeReceiptFile(both),
};

type Bad = { readonly bytes: Uint8Array; readonly code: string; readonly cause?: string };

const bad: Readonly<Record<string, Bad>> = {
  "an empty file": { bytes: new Uint8Array(), code: "cbor_refused", cause: "cbor_truncated" },
  "an empty array": { bytes: encodeCbor([]), code: "schema_mismatch" },
  "an array of three envelopes": { bytes: encodeCbor([...both, one]), code: "schema_mismatch" },
  "an array with an envelope that is no byte string": {
    bytes: encodeCbor([one, "x"]),
    code: "schema_mismatch",
  },
  "an array with an envelope of no bytes": {
    bytes: encodeCbor([one, new Uint8Array()]),
    code: "schema_mismatch",
  },
  "an array with an envelope of 4097 bytes": {
    bytes: encodeCbor([one, new Uint8Array(4_097)]),
    code: "schema_mismatch",
  },
  "an array of 8209 bytes": { bytes: encodeCbor([new Uint8Array(8_205)]), code: "too_large" },
  "an array of 8208 bytes: it is not too large, but its envelope is": {
    bytes: encodeCbor([new Uint8Array(8_204)]),
    code: "schema_mismatch",
  },
  "an array with a byte after it": {
    bytes: Uint8Array.of(...encodeCbor([one]), 0),
    code: "cbor_refused",
    cause: "cbor_trailing",
  },
  "an array of indefinite length": {
    bytes: Uint8Array.of(0x9f, 0x40, 0xff),
    code: "cbor_refused",
    cause: "cbor_indefinite",
  },
  "a byte string around the envelope": { bytes: encodeCbor(one), code: "envelope_form" },
  "the same envelope twice": { bytes: encodeCbor([one, one]), code: "signers_equal" },
};

export function fileVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  const given = { roots: [alphaRoot, betaRoot].map(rootNotation), asOf: now };
  return {
    good: {
      about: "spec/evidence.md §4.4. Files of one receipt that verify.",
      vectors: Object.entries(good).map(([name, bytes]) => ({ name, ...given, hex: toHex(bytes) })),
    },
    bad: {
      about: "spec/evidence.md §4.4. Files that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { bytes, ...refusal }]) => ({
        name,
        ...given,
        hex: toHex(bytes),
        ...refusal,
      })),
    },
  };
}
