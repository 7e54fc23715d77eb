import { createHash, randomFillSync } from "node:crypto";
import { createSliceDecoder, createTreeHasher, type LeafSize, leafSizes, walkRange } from "@catalyst/wire";
import { type Bench, ours, type Row, toRow } from "./report.ts";

const rounds = 7;
const objectBytes = 256 * 1024 * 1024;
const pieceBytes = 1024 * 1024;

/**
 * The hash tree of an object that arrives in pieces of 1 MiB, in one thread: the tree alone, the tree with the plain
 * SHA-256 in the same pass, and the verification of a slice of the whole object. The floor is plain SHA-256 over the
 * same pieces.
 */
export const bench: Bench = {
  name: "tree",
  targets: leafSizes.flatMap((leafSize) =>
    [ours, `${ours}+sha256`, `${ours}+verify`].map((system) => ({
      case: nameOf(leafSize),
      metric: "throughput",
      system,
      atLeast: 500,
    })),
  ),
  run: (say) => {
    const pieces = makePieces();
    const rows = leafSizes.flatMap((leafSize) => {
      say(`leaves of ${nameOf(leafSize)}`);
      return measure(leafSize, pieces);
    });
    return Promise.resolve(rows);
  },
};

type System = { readonly name: string; readonly run: () => void };

function measure(leafSize: LeafSize, pieces: readonly Uint8Array[]): Row[] {
  const slice = makeSlice(leafSize, pieces);
  const systems: readonly System[] = [
    { name: ours, run: () => hashPieces(leafSize, pieces, false) },
    { name: `${ours}+sha256`, run: () => hashPieces(leafSize, pieces, true) },
    { name: `${ours}+verify`, run: slice },
    { name: "node-floor", run: () => digestPieces(pieces) },
  ];
  const values = new Map(systems.map(({ name }) => [name, [] as number[]]));
  for (const { run } of systems) run();
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of systems) values.get(name)?.push(throughputOf(run));
  }
  return systems.map(({ name }) =>
    toRow(
      { case: nameOf(leafSize), metric: "throughput", system: name, unit: "MB/s" },
      values.get(name) ?? [],
    ),
  );
}

function throughputOf(run: () => void): number {
  const start = performance.now();
  run();
  return objectBytes / 1_000 / (performance.now() - start);
}

function hashPieces(leafSize: LeafSize, pieces: readonly Uint8Array[], sha256: boolean): void {
  const hasher = createTreeHasher({ leafSize, sha256 });
  for (const piece of pieces) hasher.update(piece);
  hasher.finish();
}

function digestPieces(pieces: readonly Uint8Array[]): void {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  hash.digest();
}

/** Verifies a slice of the whole object; its parts are made here, and not measured. */
function makeSlice(leafSize: LeafSize, pieces: readonly Uint8Array[]): () => void {
  const nodes: Buffer[] = [];
  const hasher = createTreeHasher({ leafSize, onNode: (digest) => nodes.push(Buffer.from(digest)) });
  for (const piece of pieces) hasher.update(piece);
  const tree = hasher.finish();
  const outboard = Buffer.concat(nodes);
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(tree.size));
  const parts: Uint8Array[] = [head, tree.top];
  for (const step of walkRange(tree)) {
    if (step.kind === "leaf") {
      const at = step.offset % pieceBytes;
      parts.push((pieces[Math.floor(step.offset / pieceBytes)] as Uint8Array).subarray(at, at + step.length));
    } else {
      parts.push(
        outboard.subarray(step.left, step.left + 32),
        outboard.subarray(step.right, step.right + 32),
      );
    }
  }
  return () => {
    let verified = 0;
    const decoder = createSliceDecoder({ root: tree, onLeaf: ({ bytes }) => (verified += bytes.length) });
    for (const part of parts) decoder.push(part);
    decoder.finish();
    if (verified !== objectBytes) throw new Error(`${verified} bytes were verified`);
  };
}

/** The object, in pieces of one memory: as they come from a file that is in the page cache. */
function makePieces(): readonly Uint8Array[] {
  const object = randomFillSync(Buffer.alloc(objectBytes));
  return Array.from({ length: objectBytes / pieceBytes }, (_, at) =>
    object.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  );
}

function nameOf(leafSize: LeafSize): string {
  return `${leafSize / 1024}KiB`;
}
