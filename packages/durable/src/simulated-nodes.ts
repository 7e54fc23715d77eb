/** What a simulated file has been asked for since its last sync. */
export type Change =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

/** A file: what programs see of it, what was synced, and the changes between the two. */
export type Inode = {
  readonly kind: "file";
  content: Uint8Array;
  synced: Uint8Array;
  readonly apply: (change: Change) => void;
  readonly sync: () => void;
  readonly pending: readonly Change[];
};

/** A folder: the names that programs see, and those that were synced. */
export type Folder = {
  readonly kind: "folder";
  readonly entries: Map<string, Folder | Inode>;
  readonly synced: Map<string, Folder | Inode>;
};

/** One change of a name; null removes it. */
export type Entry = { readonly folder: Folder; readonly name: string; readonly node: Folder | Inode | null };

/** What a disk writes whole or not at all, and what a cache keeps or loses. */
const sectorBytes = 512;
const pageBytes = 4096;

export function makeFolder(): Folder {
  return { kind: "folder", entries: new Map(), synced: new Map() };
}

export function makeFile(content: Uint8Array = new Uint8Array(0)): Inode {
  let pending: Change[] = [];
  const inode: Inode = {
    kind: "file",
    content,
    synced: content.slice(),
    apply: (change) => {
      pending.push(change);
      inode.content = changed(inode.content, change);
    },
    sync: () => {
      pending = [];
      inode.synced = inode.content.slice();
    },
    get pending() {
      return pending;
    },
  };
  return inode;
}

/** The tree that is found after a power cut: synced, with the pending changes that the numbers let through. */
export function survivorsOf(
  root: Folder,
  pending: readonly (readonly Entry[])[],
  random: () => number,
): Folder {
  const kept = pending.filter(() => random() < 0.5).flat();
  const copies = new Map<Folder | Inode, Folder | Inode>();
  const copy = (node: Folder | Inode): Folder | Inode => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    if (node.kind === "file") {
      const file = makeFile(survivingContent(node, random));
      copies.set(node, file);
      return file;
    }
    const folder = makeFolder();
    copies.set(node, folder);
    const entries = new Map(node.synced);
    for (const entry of kept) {
      if (entry.folder !== node) continue;
      if (entry.node === null) entries.delete(entry.name);
      else entries.set(entry.name, entry.node);
    }
    for (const [name, child] of entries) {
      folder.entries.set(name, copy(child));
      folder.synced.set(name, copy(child));
    }
    return folder;
  };
  return copy(root) as Folder;
}

function survivingContent(inode: Inode, random: () => number): Uint8Array {
  let content: Uint8Array = inode.synced.slice();
  for (const change of inode.pending) {
    const fate = random();
    if (fate < 0.35) continue;
    if (fate < 0.7 || change.kind === "truncate") content = changed(content, change);
    else content = torn(content, change, random);
  }
  return content;
}

/** Some pages of a write, one of them cut at a sector; the size may have grown over bytes that never came. */
function torn(
  before: Uint8Array,
  { position, bytes }: Change & { kind: "write" },
  random: () => number,
): Uint8Array {
  const end = position + bytes.length;
  let content: Uint8Array =
    random() < 0.5 && end > before.length ? changed(before, { kind: "truncate", size: end }) : before;
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(bytes.length - at, pageBytes - ((position + at) % pageBytes));
    const fate = random();
    const kept = fate < 0.4 ? length : fate < 0.6 ? Math.min(length, sectorBytes) : 0;
    if (kept > 0) {
      const part = bytes.subarray(at, at + kept);
      content = changed(content, { kind: "write", position: position + at, bytes: part });
    }
    at += length;
  }
  return content;
}

function changed(content: Uint8Array, change: Change): Uint8Array {
  const end = change.kind === "write" ? change.position + change.bytes.length : change.size;
  const grows = change.kind === "truncate" ? end !== content.length : end > content.length;
  const result = grows ? new Uint8Array(end) : content;
  if (grows) result.set(content.subarray(0, end));
  if (change.kind === "write") result.set(change.bytes, change.position);
  return result;
}
