import type { Database, SqlRow, SqlValue } from "@catalyst/durable";
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
    "UPDATE object SET state = ?, cid = ?, size = ?, top = ?, sha256 = ?, inline = ?, ranges = '', seal = ?, used_at = ? WHERE id = ?",
  );
  const setRanges = database.prepare("UPDATE object SET ranges = ?, seal = ?, used_at = ? WHERE id = ?");
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
  const refer = database.prepare("INSERT OR IGNORE INTO reference (parent, cid, seal) VALUES (?, ?, ?)");
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
      const inline = content !== null;
      const seal = sealOfRecord({ id, state, cid, tree, sha256, inline }, "");
      fill.run(state, cid, tree.size, tree.top, sha256, Number(inline), seal, now, id);
      if (content !== null) setBytes.run(id, content);
    },
    /** False when the row is gone. */
    setRanges: (row: ObjectRow, set: RangeSet, now: number): boolean => {
      const ranges = formatRanges(set);
      return setRanges.run(ranges, sealOfRecord(row, ranges), now, row.id) > 0;
    },
    touch: (cid: Cid, now: number): void => void touch.run(now, cid),
    remove: (id: number): void => void remove.run(id),
    bytes: (id: number): Uint8Array => bytes.get(id) ?? new Uint8Array(0),
    setBytes: (id: number, content: Uint8Array): void => void setBytes.run(id, content),
    setVerified: (id: number, now: number): void => void setVerified.run(now, id),
    refer: (parent: number, cid: Cid): void => void refer.run(parent, cid, sealOf([parent, cid])),
    setDamage: (id: number, found: readonly Damage[]): void => {
      clearDamage.run(id);
      for (const { part, firstLeaf, leaves } of found) addDamage.run(part, firstLeaf, leaves, id);
    },
    addDamage: (id: number, { part, firstLeaf, leaves }: Damage): boolean =>
      addDamage.run(part, firstLeaf, leaves, id) > 0,
    damage: ({ id, cid }: Pick<ObjectRow, "id" | "cid">): readonly Damage[] =>
      damage.all(id).map((row) => damageIn(row, cid)),
    unfinished: (): readonly number[] => unfinished.all(),
  };
}

function damageIn(row: SqlRow, cid: Cid): Damage {
  const { part, first_leaf: firstLeaf, leaves } = row;
  return { cid, part: part as Damage["part"], firstLeaf: Number(firstLeaf), leaves: Number(leaves) };
}

type Sealed = Pick<ObjectRow, "id" | "state" | "cid" | "tree" | "sha256" | "inline">;

function sealOfRecord({ id, state, cid, tree, sha256, inline }: Sealed, ranges: string): Uint8Array {
  return sealOf([id, state, cid, tree.size, tree.top, sha256, Number(inline), ranges]);
}

/** Statements that look for what was not written so. */
export function openRecordCheck(database: Database) {
  const between = database.prepare(
    `SELECT ${columns} FROM object WHERE id >= ? AND id < ? AND state <> 'incoming'`,
    readRow,
  );
  const notIndexed = database.prepare(`
    SELECT id, cid FROM object WHERE id >= ? AND id < ? AND state <> 'incoming'
      AND ((SELECT id FROM object AS same WHERE same.cid = object.cid) IS NOT id OR sha256 IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM object AS same WHERE same.sha256 = object.sha256))`);

  /** Throws `record_damaged` at a row from an id on, before another, that is damaged or would not be found. */
  return (from: number, before: number): void => {
    between.all(from, before);
    const row = notIndexed.get(from, before);
    if (row !== undefined) throw damagedRow(row["id"] ?? null, row["cid"] ?? null);
  };
}

function readRow(row: SqlRow): ObjectRow {
  const { id = null, state = null, cid = null, size = null, top = null } = row;
  const { sha256 = null, inline = null, ranges = null } = row;
  if (!isSealed([id, state, cid, size, top, sha256, inline, ranges], row["seal"])) {
    throw damagedRow(id, cid);
  }
  const root = rootOfCid(cid as Cid);
  if (root === null) throw new StoreError("record_damaged", `object ${String(id)} is named by a block's CID`);
  return {
    id: Number(id),
    cid: cid as Cid,
    state: state as ObjectRow["state"],
    tree: openTree(root, { size: Number(size), top: top as Uint8Array }),
    sha256: sha256 as Uint8Array | null,
    ranges: parseRanges(String(ranges)),
    inline: inline === 1,
    storedAt: Number(row["stored_at"]),
    verifiedAt: row["verified_at"] === null ? null : Number(row["verified_at"]),
  };
}

function damagedRow(id: SqlValue, cid: SqlValue): StoreError {
  const evidence = typeof cid === "string" ? { cid: cid as Cid } : {};
  const message = `the record of object ${String(id)}, ${String(cid)}, was changed in the database: restore a copy`;
  return new StoreError("record_damaged", message, { evidence });
}
