import { setImmediate as nextTurn } from "node:timers/promises";
import { StoreError } from "../errors.ts";
import { openKeepingCheck } from "./keeping.ts";
import { openRecordCheck } from "./objects.ts";
import type { DiskParts } from "./parts.ts";

/** Rows that are looked at in one go. */
const batchRows = 500;

/** Of what keeps objects an index that lost a row is as bad as the row lost; of objects each is looked up below. */
const checks = [
  "quick_check('object')",
  "integrity_check('link')",
  "integrity_check('pin')",
  "integrity_check('reference')",
] as const;

const remedy =
  "Restore it from a copy, or begin a new store, which gets placed objects back from their devices";

/** Whether what keeps objects is what was written. Throws `database_damaged` or `record_damaged`. */
export async function checkKeeping({ database }: DiskParts): Promise<void> {
  for (const check of checks) {
    const [found] = database.prepare(`PRAGMA ${check}`, (row) => String(Object.values(row)[0])).all();
    if (found !== "ok")
      throw new StoreError(
        "database_damaged",
        `SQLite finds the store's database damaged: ${found}. ${remedy}`,
      );
    await nextTurn();
  }
  await openKeepingCheck(database)();
}

/** The same for every object's record. */
export async function checkRecords({ database }: DiskParts): Promise<void> {
  const last = database.prepare("SELECT max(id) AS id FROM object", ({ id }) => Number(id ?? 0)).get() ?? 0;
  const check = openRecordCheck(database);
  for (let from = 0; from <= last; from += batchRows) {
    check(from, from + batchRows);
    await nextTurn();
  }
}
