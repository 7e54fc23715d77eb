import type { Database } from "@catalyst/durable";

/** What objects count that stand for other bytes than their own. Nothing here begins a transaction. */
export type Logical = ReturnType<typeof openLogical>;

/** Prepares the statements of the table. */
export function openLogical(database: Database) {
  const find = database.prepare("SELECT difference FROM logical WHERE object = ?", ({ difference }) =>
    Number(difference),
  );
  const set = database.prepare(
    "INSERT INTO logical VALUES (?, ?) ON CONFLICT (object) DO UPDATE SET difference = excluded.difference",
  );
  return {
    /** What is put for several reasons counts by the one that counts most. */
    count: (id: number, isNew: boolean, difference: number): void => {
      const before = isNew ? undefined : (find.get(id) ?? 0);
      if (before === undefined ? difference !== 0 : difference > before) set.run(id, difference);
    },
  };
}
