import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { cidOfBlock, cidOfTree, encodeCbor, hashTree, leafSizes } from "@catalyst/wire";
import { type ContentCheck, checkContent, checkFile, isManifest } from "./content-check.ts";

const bytes = Buffer.alloc(300_000, "content");

function passes(check: ContentCheck, given: Uint8Array): boolean {
  for (let at = 0; at < given.length; at += 50_000) check.update(given.subarray(at, at + 50_000));
  return check.matches();
}

test("bytes are checked against CIDs of trees with leaves of each size, and of blocks", () => {
  const trees = leafSizes.map((leafSize) => cidOfTree(hashTree(bytes, { leafSize })));
  const changed = Buffer.from(bytes);
  changed[299_999] = 0;
  for (const cid of [...trees, cidOfBlock(bytes), cidOfBlock(bytes, "cbor")]) {
    assert.ok(passes(checkContent(cid), bytes));
    assert.ok(!passes(checkContent(cid), changed));
    assert.ok(!passes(checkContent(cid), bytes.subarray(1)));
  }
});

test("a file that was cut into pieces is checked against what its manifest says, and that against its CID", () => {
  const sha256 = createHash("sha256").update(bytes).digest();
  const manifest = encodeCbor({ manifest: 1, level: 0, size: bytes.length, parts: [], sha256 });
  const cid = cidOfTree(hashTree(manifest), "cbor");
  assert.ok(
    isManifest(cid) &&
      !isManifest(cidOfTree(hashTree(manifest))) &&
      !isManifest(cidOfBlock(manifest, "cbor")),
  );
  assert.ok(passes(checkFile(cid, manifest), bytes));
  assert.ok(!passes(checkFile(cid, manifest), bytes.subarray(1)));
  const other = encodeCbor({
    manifest: 1,
    level: 0,
    size: 3,
    parts: [],
    sha256: createHash("sha256").update("abc").digest(),
  });
  assert.ok(!passes(checkFile(cid, other), Buffer.from("abc")));
});

test("what is no manifest vouches for nothing", () => {
  for (const manifest of [Buffer.from("no CBOR"), encodeCbor([1]), encodeCbor({ sha256: "text" })]) {
    assert.ok(!passes(checkFile(cidOfTree(hashTree(manifest), "cbor"), manifest), bytes));
  }
});
