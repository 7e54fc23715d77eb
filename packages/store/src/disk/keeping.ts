import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database, SqlRow, SqlValue } from "@catalyst/durable";
import type { Cid } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import type { Pin, PinClass, Usage } from "../store.ts";
import { isSealed, sealOf } from "./seal.ts";

/** Rows that are read at once: others have their turn in between. */
const batchRows = 2_000;

/** Who keeps objects, and for how much: links, pins and what namespaces hold. Nothing here begins a transaction. */
export type Keeping = ReturnType<typeof openKeeping>;

/** Prepares the statements of the tables. */
export function openKeeping(database: Database) {
  const know = database.prepare("INSERT OR IGNORE INTO namespace (name) VALUES (?)");
  const quota = database.prepare("UPDATE namespace SET max_bytes = ? WHERE name = ?");
  const usage = database.prepare("SELECT used_bytes, max_bytes FROM namespace WHERE name = ?");
  const holds = database.prepare("SELECT 1 FROM holding WHERE object = ? AND namespace = ?");
  const hold = database.prepare("INSERT INTO holding (object, namespace, size) VALUES (?, ?, ?)");
  const link = database.prepare(
    "INSERT OR REPLACE INTO link (namespace, name, cid, seal) VALUES (?, ?, ?, ?)",
  );
  const unlink = database.prepare("DELETE FROM link WHERE namespace = ? AND name = ?");
  const resolve = database.prepare("SELECT * FROM link WHERE namespace = ? AND name = ?", readLink);
  const links = database.prepare("SELECT * FROM link WHERE namespace = ? ORDER BY name", readLink);
  const linksTo = database.prepare("SELECT * FROM link WHERE cid = ? ORDER BY namespace, name", readLink);
  const namespaces = database.prepare("SELECT name FROM namespace ORDER BY name", ({ name }) => String(name));
  const pin = database.prepare(
    "INSERT OR REPLACE INTO pin (cid, namespace, scope, class, until, seal) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const unpin = database.prepare("DELETE FROM pin WHERE cid = ? AND namespace = ? AND scope = ?");
  const pins = database.prepare("SELECT * FROM pin WHERE cid = ? ORDER BY namespace, scope", readPin);
  const usageOf = (namespace: string): Usage => {
    const row = usage.get(namespace);
    const max = row?.["max_bytes"] ?? null;
    return {
      namespace,
      usedBytes: Number(row?.["used_bytes"] ?? 0),
      maxBytes: max === null ? null : Number(max),
    };
  };
  return {
    usage: usageOf,
    setQuota: (namespace: string, maxBytes: number | null): void => {
      know.run(namespace);
      quota.run(maxBytes, namespace);
    },
    /** What a namespace would exceed by holding an object more; null when it fits, or is held already. */
    exceeded: (namespace: string, id: number | null, size: number): Usage | null => {
      const now = usageOf(namespace);
      if (now.maxBytes === null || now.usedBytes + size <= now.maxBytes) return null;
      return id !== null && holds.get(id, namespace) !== undefined ? null : now;
    },
    /** Counts an object against a namespace, once. */
    hold: (namespace: string, id: number, size: number): void => {
      if (holds.get(id, namespace) !== undefined) return;
      know.run(namespace);
      hold.run(id, namespace, size);
    },
    link: (namespace: string, name: string, cid: Cid): void =>
      void link.run(namespace, name, cid, sealOf([namespace, name, cid])),
    unlink: (namespace: string, name: string): void => void unlink.run(namespace, name),
    resolve: (namespace: string, name: string): Cid | null => resolve.get(namespace, name)?.cid ?? null,
    links: (namespace: string): readonly { name: string; cid: Cid }[] => links.all(namespace),
    linksTo: (cid: Cid): readonly { namespace: string; name: string }[] => linksTo.all(cid),
    namespaces: (): readonly Usage[] => namespaces.all().map(usageOf),
    pin: (cid: Cid, { namespace, scope, class: kind, until }: Pin): void =>
      void pin.run(cid, namespace, scope, kind, until, sealOf([cid, namespace, scope, kind, until])),
    unpin: (cid: Cid, namespace: string, scope: string): boolean => unpin.run(cid, namespace, scope) > 0,
    pins: (cid: Cid): readonly (Pin & { cid: Cid })[] => pins.all(cid),
  };
}

/** Prepares statements that read all that keeps objects; throws `record_damaged` at what was not written so. */
export function openKeepingCheck(database: Database) {
  const linksAfter = database.prepare(
    `SELECT * FROM link WHERE (namespace, name) > (?, ?) ORDER BY namespace, name LIMIT ${batchRows}`,
    readLink,
  );
  const pinsAfter = database.prepare(
    `SELECT * FROM pin WHERE (cid, namespace, scope) > (?, ?, ?) ORDER BY cid, namespace, scope LIMIT ${batchRows}`,
    readPin,
  );
  const referencesAfter = database.prepare(
    `SELECT * FROM reference WHERE (parent, cid) > (?, ?) ORDER BY parent, cid LIMIT ${batchRows}`,
    readReference,
  );
  return async (): Promise<void> => {
    await readToEnd(
      ["", ""],
      (after) => linksAfter.all(...after),
      ({ namespace, name }) => [namespace, name],
    );
    await readToEnd(
      ["", "", ""],
      (after) => pinsAfter.all(...after),
      ({ cid, namespace, scope }) => [cid, namespace, scope],
    );
    await readToEnd(
      [0, ""],
      (after) => referencesAfter.all(...after),
      ({ parent, cid }) => [parent, cid],
    );
  };
}

/** Reads a table page by page, each after the key of the last row of the one before. */
async function readToEnd<Row>(
  first: readonly SqlValue[],
  pageAfter: (key: readonly SqlValue[]) => readonly Row[],
  keyOf: (row: Row) => readonly SqlValue[],
): Promise<void> {
  let key = first;
  for (;;) {
    const last = pageAfter(key).at(-1);
    if (last === undefined) return;
    key = keyOf(last);
    await nextTurn();
  }
}

function readLink(row: SqlRow): { namespace: string; name: string; cid: Cid } {
  const { namespace = null, name = null, cid = null } = row;
  if (!isSealed([namespace, name, cid], row["seal"]))
    throw damaged(`link ${String(namespace)}/${String(name)}`);
  return { namespace: String(namespace), name: String(name), cid: cid as Cid };
}

function readPin(row: SqlRow): Pin & { cid: Cid } {
  const { cid = null, namespace = null, scope = null, class: kind = null, until = null } = row;
  if (!isSealed([cid, namespace, scope, kind, until], row["seal"])) throw damaged(`pin of ${String(cid)}`);
  return {
    cid: cid as Cid,
    namespace: String(namespace),
    scope: String(scope),
    class: kind as PinClass,
    until: until === null ? null : Number(until),
  };
}

function readReference(row: SqlRow): { parent: number; cid: string } {
  const { parent = null, cid = null } = row;
  if (!isSealed([parent, cid], row["seal"])) throw damaged(`reference of object ${String(parent)}`);
  return { parent: Number(parent), cid: String(cid) };
}

function damaged(what: string): StoreError {
  return new StoreError("record_damaged", `the ${what} was changed in the database: restore a copy`);
}
