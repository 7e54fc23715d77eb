import type { Database, SqlRow } from "@catalyst/durable";
import { StoreError } from "../errors.ts";
import type { FileFact, PutOptions } from "../store.ts";
import { isSealed, sealOf } from "./seal.ts";

/** Objects that stand for other bytes than their own: manifests, and parts of files. Nothing here begins a transaction. */
export type Logical = ReturnType<typeof openLogical>;

type Fact = { readonly id: number; readonly difference: number; readonly sha256: Uint8Array | null };

/** Prepares the statements of the table. */
export function openLogical(database: Database) {
  const find = database.prepare("SELECT * FROM logical WHERE object = ?", readFact);
  const findFile = database.prepare(
    "SELECT * FROM logical WHERE sha256 = ? ORDER BY object LIMIT 1",
    readFact,
  );
  const set = database.prepare(`
    INSERT INTO logical VALUES (?, ?, ?, ?) ON CONFLICT (object) DO UPDATE
    SET difference = excluded.difference, sha256 = excluded.sha256, seal = excluded.seal`);
  return {
    /** What is put for several reasons stands for what counts most. */
    note: (id: number, isNew: boolean, size: number, standsFor: PutOptions["standsFor"]): void => {
      const file = typeof standsFor === "object" ? standsFor : null;
      const difference = (standsFor === "part" ? 0 : (file?.sizeBytes ?? size)) - size;
      const before = isNew ? undefined : (find.get(id)?.difference ?? 0);
      if (before === undefined ? difference === 0 && file === null : difference <= before) return;
      const sha256 = file?.sha256 ?? null;
      set.run(id, difference, sha256, sealOf([id, difference, sha256]));
    },
    /** The file that an object of this size is the manifest of. */
    fileOf: (id: number, size: number): FileFact | null => {
      const fact = find.get(id);
      if (fact === undefined || fact.sha256 === null) return null;
      return { sizeBytes: size + fact.difference, sha256: fact.sha256 };
    },
    /** The id of the first manifest of such a file. */
    findBySha256: (sha256: Uint8Array): number | null => findFile.get(sha256)?.id ?? null,
  };
}

function readFact(row: SqlRow): Fact {
  const { object = null, difference = null, sha256 = null } = row;
  if (!isSealed([object, difference, sha256], row["seal"]))
    throw new StoreError(
      "record_damaged",
      `what object ${String(object)} stands for was changed in the database`,
    );
  return { id: Number(object), difference: Number(difference), sha256: sha256 as Uint8Array | null };
}
