import { createHash } from "node:crypto";
import { type Cid, cidOfTree, defaultLeafSize, hashTree, type LeafSize } from "@catalyst/wire";
import {
  encodeManifest,
  type Manifest,
  type ManifestPart,
} from "../../../packages/store/src/manifest/manifest.ts";
import { makeBytes } from "../../../packages/store/src/test-objects.ts";
import type { VectorFile } from "../wire-vectors.ts";

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** Chunks of these lengths, one after the other in stream 1. */
function chunks(lengths: readonly number[], leafSize: LeafSize = defaultLeafSize): readonly ManifestPart[] {
  let at = 0;
  return lengths.map((size) => {
    const bytes = makeBytes(at + size).subarray(at);
    at += size;
    return { cid: cidOfTree(hashTree(bytes, { leafSize })), size };
  });
}

function manifestOf(level: number, parts: readonly ManifestPart[], sha256: Uint8Array | null): Manifest {
  return { level, size: parts.reduce((sum, part) => sum + part.size, 0), parts, sha256 };
}

/** As a part of the level above. */
function asPart(manifest: Manifest): ManifestPart {
  const tree = hashTree(encodeManifest(manifest), { leafSize: defaultLeafSize });
  return { cid: cidOfTree(tree, "cbor"), size: manifest.size };
}

export function manifestVectors(): VectorFile {
  const one: ManifestPart = { cid: cidOfTree(hashTree(Buffer.of(0))), size: 1 };
  const full = manifestOf(0, Array(1_024).fill(one), null);
  const last = manifestOf(0, [one, one], null);
  const cases: Readonly<Record<string, Manifest>> = {
    "an empty file": manifestOf(0, [], digestOf(Buffer.of())),
    "a file of one chunk": manifestOf(0, chunks([20_000]), digestOf(makeBytes(20_000))),
    "chunks with leaves of 16 and 256 KiB": manifestOf(
      0,
      [...chunks([70_000], 16_384), ...chunks([70_000], 262_144)],
      digestOf(Buffer.concat([makeBytes(70_000), makeBytes(70_000)])),
    ),
    "the last stretch of a file": last,
    "a file of 1,026 zeros in chunks of one byte: the manifest above two others": manifestOf(
      1,
      [asPart(full), asPart(last)],
      digestOf(Buffer.alloc(1_026)),
    ),
  };
  return {
    about: "spec/content.md §2. Manifests, and what they say.",
    vectors: Object.entries(cases).map(([name, manifest]) => vectorOf(name, manifest)),
  };
}

function vectorOf(name: string, manifest: Manifest): object {
  const { level, size, parts, sha256 } = manifest;
  const cid: Cid = asPart(manifest).cid;
  return {
    name,
    hex: Buffer.from(encodeManifest(manifest)).toString("hex"),
    cid,
    level,
    size,
    parts: parts.map((part) => [part.cid, part.size]),
    sha256: sha256 === null ? null : Buffer.from(sha256).toString("hex"),
  };
}
