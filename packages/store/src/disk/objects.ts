import type { Database, SqlRow } from "@catalyst/durable";
import { type Cid, openTree, rootOfCid, type Tree } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import type { Damage } from "../events.ts";
import { formatRanges, parseRanges, type RangeSet } from "../range-set.ts";
import { isSealed, sealOf } from "./seal.ts";

/** What the database says of an object; its seal and its tree were checked. */
export type ObjectRow = {
  readonly id: number;
  readonly cid: Cid;
  readonly state: "partial" | "whole";
  readonly tree: Tree;
  readonly sha256: Uint8Array | null;
  /** The leaves that are here, of a partial object. */
  readonly ranges: RangeSet;
  /** Whether the bytes are in the database, and not in files. */
  readonly inline: boolean;
  readonly storedAt: number;
  readonly verifiedAt: number | null;
};

/** What becomes of a row once its bytes are known. */
export type Content = {
  readonly cid: Cid;
  readonly tree: Tree;
  readonly state: "partial" | "whole";
  readonly sha256: Uint8Array | null;
  readonly bytes: Uint8Array | null;
};

const columns = "id, state, cid, size, top, sha256, inline, ranges, stored_at, verified_at, seal";

/** The table of objects. Nothing here begins a transaction. */
export type Objects = ReturnType<typeof openObjects>;

/** Prepares the statements of the table. */
export function openObjects(database: Database) {
  const begin = database.prepare("INSERT INTO object (state, stored_at, used_at) VALUES ('incoming', ?, ?)");
  const lastId = database.prepare("SELECT last_insert_rowid() AS id", ({ id }) => Number(id));
  const find = database.prepare(`SELECT ${columns} FROM object WHERE cid = ?`, readRow);
  const findById = database.prepare(
    `SELECT ${columns} FROM object WHERE id = ? AND state <> 'incoming'`,
    readRow,
  );
  const flat = database.prepare(
    `SELECT ${columns} FROM object WHERE sha256 = ? AND state = 'whole' ORDER BY id LIMIT 1`,
    readRow,
  );
  const page = database.prepare(
    `SELECT ${columns} FROM object WHERE id > ? AND state <> 'incoming' ORDER BY id LIMIT ?`,
    readRow,
  );
  const fill = database.prepare(
    "UPDATE object SET state = ?, cid = ?, size = ?, top = ?, sha256 = ?, inline = ?, seal = ?, used_at = ? WHERE id = ?",
  );
  const setRanges = database.prepare("UPDATE object SET ranges = ?, used_at = ? WHERE id = ?");
  const touch = database.prepare(
    "UPDATE object SET used_at = max(used_at, ?), condemned_at = NULL WHERE cid = ?",
  );
  const remove = database.prepare("DELETE FROM object WHERE id = ?");
  const bytes = database.prepare(
    "SELECT bytes FROM inline WHERE object = ?",
    (row) => row["bytes"] as Uint8Array,
  );
  const setBytes = database.prepare("INSERT OR REPLACE INTO inline (object, bytes) VALUES (?, ?)");
  const setVerified = database.prepare("UPDATE object SET verified_at = ? WHERE id = ?");
  const refer = database.prepare("INSERT OR IGNORE INTO reference (parent, cid) VALUES (?, ?)");
  const addDamage = database.prepare(
    "INSERT OR IGNORE INTO damage SELECT id, ?, ?, ? FROM object WHERE id = ?",
  );
  const clearDamage = database.prepare("DELETE FROM damage WHERE object = ?");
  const damage = database.prepare("SELECT * FROM damage WHERE object = ? ORDER BY part, first_leaf");
  const unfinished = database.prepare("SELECT id FROM object WHERE state = 'incoming'", ({ id }) =>
    Number(id),
  );
  const nextId = database.prepare(
    "SELECT id FROM object WHERE id >= ? AND state <> 'incoming' ORDER BY id LIMIT 1",
    ({ id }) => Number(id),
  );

  return {
    /** A new row whose files may be made once the transaction is committed. */
    begin: (now: number): number => {
      begin.run(now, now);
      return lastId.get() ?? 0;
    },
    find: (cid: Cid): ObjectRow | null => find.get(cid) ?? null,
    findById: (id: number): ObjectRow | null => findById.get(id) ?? null,
    findBySha256: (sha256: Uint8Array): ObjectRow | null => flat.get(sha256) ?? null,
    page: (after: number, limit: number): readonly ObjectRow[] => page.all(after, limit),
    /** The first row from an id on; read it by `findById`, which may find it damaged. */
    nextId: (from: number): number | null => nextId.get(from) ?? null,
    fill: (id: number, { cid, tree, state, sha256, bytes: content }: Content, now: number): void => {
      const inline = content === null ? 0 : 1;
      const seal = sealOf([id, state, cid, tree.size, tree.top, sha256, inline]);
      fill.run(state, cid, tree.size, tree.top, sha256, inline, seal, now, id);
      if (content !== null) setBytes.run(id, content);
    },
    /** False when the row is gone. */
    setRanges: (id: number, ranges: RangeSet, now: number): boolean =>
      setRanges.run(formatRanges(ranges), now, id) > 0,
    touch: (cid: Cid, now: number): void => void touch.run(now, cid),
    remove: (id: number): void => void remove.run(id),
    bytes: (id: number): Uint8Array => bytes.get(id) ?? new Uint8Array(0),
    setBytes: (id: number, content: Uint8Array): void => void setBytes.run(id, content),
    setVerified: (id: number, now: number): void => void setVerified.run(now, id),
    refer: (parent: number, cid: Cid): void => void refer.run(parent, cid),
    setDamage: (id: number, found: readonly Damage[]): void => {
      clearDamage.run(id);
      for (const { part, firstLeaf, leaves } of found) addDamage.run(part, firstLeaf, leaves, id);
    },
    addDamage: (id: number, { part, firstLeaf, leaves }: Damage): boolean =>
      addDamage.run(part, firstLeaf, leaves, id) > 0,
    damage: ({ id, cid }: Pick<ObjectRow, "id" | "cid">): readonly Damage[] =>
      damage.all(id).map((row) => ({
        cid,
        part: row["part"] as Damage["part"],
        firstLeaf: Number(row["first_leaf"]),
        leaves: Number(row["leaves"]),
      })),
    unfinished: (): readonly number[] => unfinished.all(),
  };
}

function readRow(row: SqlRow): ObjectRow {
  const { id = null, state = null, cid = null, size = null, top = null } = row;
  const { sha256 = null, inline = null } = row;
  if (!isSealed([id, state, cid, size, top, sha256, inline], row["seal"])) {
    throw new StoreError(
      "record_damaged",
      `the record of object ${String(id)}, ${String(cid)}, was changed`,
      {
        evidence: typeof cid === "string" ? { cid: cid as Cid } : {},
      },
    );
  }
  const root = rootOfCid(cid as Cid);
  if (root === null) throw new StoreError("record_damaged", `object ${String(id)} is named by a block's CID`);
  return {
    id: Number(id),
    cid: cid as Cid,
    state: state as ObjectRow["state"],
    tree: openTree(root, { size: Number(size), top: top as Uint8Array }),
    sha256: sha256 as Uint8Array | null,
    ranges: parseRanges(String(row["ranges"])),
    inline: inline === 1,
    storedAt: Number(row["stored_at"]),
    verifiedAt: row["verified_at"] === null ? null : Number(row["verified_at"]),
  };
}
