import type { Database } from "@catalyst/durable";
import type { Cid } from "@catalyst/wire";
import type { StoreEvent } from "../events.ts";
import type { Commits } from "./commits.ts";
import type { Garbage } from "./garbage.ts";
import type { Keeping } from "./keeping.ts";
import type { Logical } from "./logical.ts";
import type { ObjectFiles } from "./object-files.ts";
import type { Objects } from "./objects.ts";
import type { Reserve } from "./reserve.ts";

/** What the operations of a store on disk work on. */
export type DiskParts = {
  readonly database: Database;
  readonly commits: Commits;
  readonly objects: Objects;
  readonly keeping: Keeping;
  readonly logical: Logical;
  readonly files: ObjectFiles;
  readonly reserve: Reserve;
  readonly garbage: Garbage;
  /** Objects that somebody is receiving: neither collected nor received twice. */
  readonly receiving: Set<Cid>;
  readonly now: () => number;
  readonly random: () => number;
  readonly emit: (event: StoreEvent) => void;
};
