import type { DurableFile } from "@catalyst/durable";
import {
  type Cid,
  createRangeVerifier,
  createTreeHasher,
  hashTree,
  type Tree,
  WireError,
  wholeObject,
} from "@catalyst/wire";
import type { Damage } from "../events.ts";
import type { LeafSource, RepairOutcome } from "../store.ts";
import { type ObjectBytes, openBytes } from "./object-bytes.ts";
import type { ObjectRow } from "./objects.ts";
import type { DiskParts } from "./parts.ts";
import { verifyObject } from "./scrub.ts";

/** {@link Store.repair} on disk: what a crash leaves half repaired is damaged as it was before. */
export async function repairObject(parts: DiskParts, cid: Cid, source: LeafSource): Promise<RepairOutcome> {
  const before = await verifyObject(parts, cid);
  const row = parts.objects.find(cid);
  if (before.kind !== "damaged" || row === null)
    return { kind: before.kind === "intact" ? "intact" : "not_found" };
  if (row.inline) await repairInline(parts, row, source);
  else await repairFiles(parts, row, before.damage, source);
  const after = await verifyObject(parts, cid);
  if (after.kind !== "intact") return after;
  const leaves = before.damage.reduce((sum, damage) => sum + damage.leaves, 0);
  parts.emit({ kind: "repaired", cid, leaves });
  return { kind: "repaired", leaves };
}

async function repairInline(
  { commits, objects }: DiskParts,
  row: ObjectRow,
  source: LeafSource,
): Promise<void> {
  const { size, leafSize, root } = row.tree;
  const bytes = await source({ index: 0, offset: 0, length: size });
  if (bytes === null || Buffer.compare(hashTree(bytes, { leafSize }).root, root) !== 0) return;
  await commits.run(() => objects.setBytes(row.id, bytes));
}

async function repairFiles(
  parts: DiskParts,
  row: ObjectRow,
  damage: readonly Damage[],
  source: LeafSource,
): Promise<void> {
  const { system } = parts.files;
  const paths = parts.files.paths(row.id);
  for (const path of [paths.data, paths.outboard]) {
    if ((await system.stat(path)) === null) await (await system.open(path, "create")).close();
  }
  const file = await parts.files.open(row.id, "update");
  try {
    await using bytes = await openBytes(parts, row, wholeObject);
    const wanted = damage.flatMap(indexesOf);
    const isTreeWhole = damage.every(({ part }) => part === "data");
    if (isTreeWhole) await repairLeaves(row, bytes, file.data, wanted, source);
    else await rebuild(row, bytes, file, wanted, source);
    await file.data.sync();
    await file.outboard.sync();
    await parts.files.syncFolder(row.id);
  } finally {
    await file.close();
  }
}

function indexesOf({ firstLeaf, leaves }: Damage): number[] {
  return Array.from({ length: leaves }, (_, at) => firstLeaf + at);
}

/** Each leaf by itself, proven by the tree that is here. */
async function repairLeaves(
  { tree }: ObjectRow,
  bytes: ObjectBytes,
  data: DurableFile,
  wanted: readonly number[],
  source: LeafSource,
): Promise<void> {
  for (const index of wanted) {
    const offset = index * tree.leafSize;
    const verifier = createRangeVerifier(tree, [{ start: offset, end: offset + 1 }]);
    let step = verifier.next();
    for (; step?.kind === "parent"; step = verifier.next()) {
      verifier.acceptParent(await bytes.pair(step.left, step.right));
    }
    const leaf = step === null ? null : await source({ index, offset, length: step.length });
    if (leaf === null) continue;
    try {
      verifier.acceptLeaf(leaf);
    } catch (error) {
      if (error instanceof WireError && error.code === "tree_mismatch") continue;
      throw error;
    }
    await data.write(leaf, offset);
  }
}

/**
 * The tree is damaged, so that nobody knows of the leaves below which are not: they are taken as they are, then from
 * the source, and written with a new tree when all of it is what the CID says.
 */
async function rebuild(
  row: ObjectRow,
  bytes: ObjectBytes,
  file: { readonly data: DurableFile; readonly outboard: DurableFile },
  suspects: readonly number[],
  source: LeafSource,
): Promise<void> {
  const { tree } = row;
  const onDisk = (_index: number, offset: number, length: number) => bytes.leaf(offset, length);
  const suspected = new Set(suspects);
  const fromSource = async (index: number, offset: number, length: number) => {
    const taken = suspected.has(index) ? await source({ index, offset, length }) : null;
    return taken ?? bytes.leaf(offset, length);
  };
  for (const read of [onDisk, fromSource]) {
    const nodes = await hashAll(tree, read);
    if (nodes === null) continue;
    if (read === fromSource) {
      for (const [index, offset, length] of leavesIn(tree)) {
        if (suspected.has(index)) await file.data.write(await read(index, offset, length), offset);
      }
    }
    await file.outboard.write(nodes, 0);
    return;
  }
}

type ReadLeaf = (index: number, offset: number, length: number) => Promise<Uint8Array>;

/** The outboard of these leaves; null when they are not the object's. */
async function hashAll(tree: Tree, read: ReadLeaf): Promise<Uint8Array | null> {
  const nodes: Uint8Array[] = [];
  const hasher = createTreeHasher({
    leafSize: tree.leafSize,
    onNode: (digest) => nodes.push(new Uint8Array(digest)),
  });
  for (const [index, offset, length] of leavesIn(tree)) hasher.update(await read(index, offset, length));
  return Buffer.compare(hasher.finish().root, tree.root) === 0 ? Buffer.concat(nodes) : null;
}

function* leavesIn({ size, leafSize }: Tree): Generator<[number, number, number]> {
  for (let offset = 0; offset < size; offset += leafSize) {
    yield [offset / leafSize, offset, Math.min(leafSize, size - offset)];
  }
}
