import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../test/hex.ts";
import { hostileBytes, refusal } from "../../test/mutation.ts";
import { readCases } from "../../test/vectors.ts";
import {
  type CidContent,
  type CidHash,
  cidFromBytes,
  cidToBytes,
  formatCid,
  parseCid,
  splitCid,
} from "./cid.ts";

type Good = {
  readonly content: CidContent;
  readonly hash: CidHash;
  readonly digest: string;
  readonly hex: string;
  readonly text: string;
};
type Bad = { readonly text?: string; readonly hex?: string; readonly code: string };

const good = readCases<Good>("cid/good.json");
const bad = readCases<Bad>("cid/bad.json");

describe("the vectors of spec/wire.md §2", () => {
  for (const { name, content, hash, digest, hex, text } of good) {
    test(`${name}: text, bytes and parts give each other`, () => {
      const parts = { content, hash, digest: fromHex(digest) };
      assert.equal(formatCid(parts), text);
      assert.equal(cidFromBytes(fromHex(hex)), text);
      assert.equal(toHex(cidToBytes(parseCid(text))), hex);
      assert.deepEqual(splitCid(parseCid(text)), parts);
    });
  }
  for (const { name, text, hex, code } of bad) {
    test(`${name}: refused as ${code}`, () => {
      if (text !== undefined)
        assert.equal(
          refusal(() => parseCid(text)),
          code,
        );
      if (hex !== undefined)
        assert.equal(
          refusal(() => cidFromBytes(fromHex(hex))),
          code,
        );
      assert.ok(text !== undefined || hex !== undefined);
    });
  }
});

test("the CID of raw bytes is the one that IPFS gives them", () => {
  const cidOf = (text: string) =>
    formatCid({ content: "raw", hash: "sha2-256", digest: hash("sha256", text, "buffer") });
  assert.equal(cidOf(""), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
  assert.equal(cidOf("hello world"), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
});

test("a digest of another length is refused before it becomes a CID", () => {
  const digest = new Uint8Array(31);
  assert.equal(
    refusal(() => formatCid({ content: "raw", hash: "sha2-256", digest })),
    "cid_malformed",
  );
});

test("bytes that are read as a CID are written as the same bytes; others are refused with a code", () => {
  fc.assert(
    fc.property(hostileBytes(good.map(({ hex }) => fromHex(hex))), (bytes) => {
      const code = refusal(() => assert.deepEqual(cidToBytes(cidFromBytes(bytes)), bytes));
      assert.ok(code === null || code.startsWith("cid_"), String(code));
    }),
    { numRuns: 5_000 },
  );
});

test("text that is read as a CID is its own form; other text is refused with a code", () => {
  const seeds = good.map(({ text }) => new TextEncoder().encode(text));
  const noise = fc.oneof(
    hostileBytes(seeds).map((bytes) => String.fromCharCode(...bytes)),
    fc.string({ unit: "binary" }).map((text) => `b${text}`),
  );
  fc.assert(
    fc.property(noise, (text) => {
      const code = refusal(() => assert.equal(cidFromBytes(cidToBytes(parseCid(text))), text));
      assert.ok(code === null || code.startsWith("cid_"), String(code));
    }),
    { numRuns: 5_000 },
  );
});
