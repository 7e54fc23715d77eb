import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Cid, cidOfTree, encodeCbor, hashTree, parseCid } from "@catalyst/wire";
import fc from "fast-check";
import { readVectors } from "../chunk/test-vectors.ts";
import { StoreError } from "../errors.ts";
import { checkPart, checkRoot, decodeManifest, encodeManifest, type Manifest, maxParts } from "./manifest.ts";

type Good = {
  readonly name: string;
  readonly hex: string;
  readonly cid: string;
  readonly level: number;
  readonly size: number;
  readonly parts: readonly (readonly [string, number])[];
  readonly sha256: string | null;
};
type Bad = { readonly name: string; readonly hex: string; readonly code: string };

const good = readVectors<Good>("manifest/good.json");

describe("the vectors of spec/content.md §2", () => {
  for (const { name, hex, cid, level, size, parts, sha256 } of good) {
    test(`${name}: bytes and meaning give each other`, () => {
      const manifest = decodeManifest(Buffer.from(hex, "hex"));
      assert.deepEqual(
        { ...manifest, sha256: manifest.sha256 && Buffer.from(manifest.sha256).toString("hex") },
        { level, size, sha256, parts: parts.map((part) => ({ cid: part[0], size: part[1] })) },
      );
      const bytes = encodeManifest(manifest);
      assert.equal(Buffer.from(bytes).toString("hex"), hex);
      assert.equal(cidOfTree(hashTree(bytes), "cbor"), parseCid(cid));
    });
  }
  for (const { name, hex, code } of readVectors<Bad>("manifest/bad.json")) {
    test(`${name}: refused as ${code}`, () => {
      assert.throws(() => checkRoot(decodeManifest(Buffer.from(hex, "hex"))), { name: "StoreError", code });
    });
  }
});

test("a manifest of as many parts as there can be, with the longest numbers, keeps to the limits", () => {
  const cid = cidOfTree(hashTree(new Uint8Array(5)), "cbor");
  const size = Math.floor(Number.MAX_SAFE_INTEGER / maxParts);
  const parts = Array.from({ length: maxParts }, () => ({ cid, size }));
  const bytes = encodeManifest({ level: 3, size: size * maxParts, parts, sha256: new Uint8Array(32) });
  assert.ok(bytes.length < 65_536, `${bytes.length}`);
  assert.equal(decodeManifest(bytes).parts.length, maxParts);
});

test("sizes whose sum is beyond 2^53 are refused, whatever the total says", () => {
  const cid = cidOfTree(hashTree(new Uint8Array(5)), "cbor");
  const size = Number.MAX_SAFE_INTEGER;
  const parts = [size, size].map((each) => ({ cid, size: each }));
  const bytes = encodeManifest({ level: 1, size, parts, sha256: new Uint8Array(32) });
  assert.throws(() => decodeManifest(bytes), { code: "manifest_invalid" });
});

test("a part is what the manifest above it says, and full unless it is the last", () => {
  const part: Manifest = { level: 0, size: 3, parts: [{ cid: "b" as Cid, size: 3 }], sha256: null };
  checkPart(part, { level: 0, size: 3, isLast: true });
  const refused = { code: "manifest_invalid" };
  assert.throws(() => checkPart(part, { level: 0, size: 3, isLast: false }), refused);
  assert.throws(() => checkPart(part, { level: 0, size: 4, isLast: true }), refused);
  assert.throws(() => checkPart(part, { level: 1, size: 3, isLast: true }), refused);
  const root = { ...part, sha256: new Uint8Array(32) };
  assert.throws(() => checkPart(root, { level: 0, size: 3, isLast: true }), refused);
});

test("hostile bytes are refused with a code, or are a manifest in its one form", () => {
  const seeds = good.map(({ hex }) => Uint8Array.from(Buffer.from(hex, "hex")));
  const edit = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "cut", "insert"));
  const edited = fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([bytes, edits]) => {
      const changed = [...bytes];
      for (const [spot, value, kind] of edits) {
        const at = spot % (changed.length + 1);
        changed.splice(at, kind === "insert" ? 0 : 1, ...(kind === "cut" ? [] : [value]));
      }
      return Uint8Array.from(changed);
    });
  const forged = fc
    .record({
      manifest: fc.constantFrom(1, 2),
      level: fc.integer({ min: -1, max: 5 }),
      size: fc.oneof(fc.nat(10), fc.maxSafeNat()),
      parts: fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.maxSafeInteger()), { maxLength: 3 }),
    })
    .map((value) => encodeCbor(value));
  fc.assert(
    fc.property(fc.oneof(edited, forged, fc.uint8Array({ maxLength: 64 })), (bytes) => {
      try {
        assert.deepEqual(Uint8Array.from(encodeManifest(decodeManifest(bytes))), bytes);
      } catch (error) {
        if (!(error instanceof StoreError && error.code === "manifest_invalid")) throw error;
      }
    }),
    { numRuns: 5_000 },
  );
});
