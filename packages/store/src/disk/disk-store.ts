import {
  type Database,
  diskFileSystem,
  type FileSystem,
  openDatabase,
  type SqlValue,
} from "@catalyst/durable";
import type { ByteRange, Cid } from "@catalyst/wire";
import { checkAmount, endOf } from "../amounts.ts";
import { inStoreTerms, StoreError } from "../errors.ts";
import { checkNames } from "../names.ts";
import type {
  ByteSource,
  GcOptions,
  GetOptions,
  LeafSource,
  LinkOutcome,
  ObjectStat,
  PinOptions,
  PinOutcome,
  PutOptions,
  ReadingOptions,
  ReceiveOptions,
  ScrubOptions,
  Store,
  StoreOptions,
  TreeClaim,
  Usage,
} from "../store.ts";
import { Collector } from "./collect.ts";
import { Commits } from "./commits.ts";
import { Garbage } from "./garbage.ts";
import { hold } from "./hold.ts";
import { openKeeping } from "./keeping.ts";
import { openLogical } from "./logical.ts";
import { ObjectFiles } from "./object-files.ts";
import { type ObjectRow, openObjects } from "./objects.ts";
import type { DiskParts } from "./parts.ts";
import { putObject } from "./put.ts";
import { getObject, sliceObject } from "./read.ts";
import { receiveObject } from "./receive.ts";
import { repairObject } from "./repair.ts";
import { defaultReserveBytes, Reserve } from "./reserve.ts";
import { migrations } from "./schema.ts";
import { scrubObjects, verifyObject } from "./scrub.ts";

export type DiskStoreOptions = StoreOptions & {
  /** Opens the database; for tests. Default: `store.db` in the folder. */
  readonly database?: Database;
  /** Where files are; for tests. Default: the file system of this machine. */
  readonly files?: FileSystem;
  /** What is kept free for the database on a disk that is full. Default 8 MiB. */
  readonly reserveBytes?: number;
};

/**
 * Opens the store in a folder, which is there and which no other process has open; makes it where there is none.
 * What a crash left of puts that were never acknowledged is removed. Throws StoreError, and DurableError
 * `database_in_use` or `database_newer`.
 *
 * @example
 * await using store = await openDiskStore("/var/lib/catalyst/content");
 * const stored = await store.put(createReadStream(path), { namespace: "acme" });
 */
export async function openDiskStore(folder: string, options: DiskStoreOptions = {}): Promise<Store> {
  const database = options.database ?? openDatabase(`${folder}/store.db`, { migrations });
  const { now = Date.now, random = Math.random, onEvent = () => {} } = options;
  const { reserveBytes = defaultReserveBytes } = options;
  try {
    const files = new ObjectFiles(options.files ?? diskFileSystem, folder);
    const reserve = new Reserve(files.system, folder, reserveBytes);
    const commits = new Commits(database, reserve);
    const parts: DiskParts = {
      database,
      commits,
      objects: openObjects(database),
      keeping: openKeeping(database),
      logical: openLogical(database),
      files,
      reserve,
      garbage: new Garbage(database, commits, files),
      receiving: new Set(),
      now,
      random,
      emit: onEvent,
    };
    await inStoreTerms(async () => {
      await reserve.find();
      await tidyUp(parts);
    });
    return new DiskStore(parts);
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

/** The steps of the schema, for who opens the database itself. */
export { migrations as storeMigrations };

async function tidyUp({ commits, objects, garbage }: DiskParts): Promise<void> {
  await commits.run(() => {
    for (const id of objects.unfinished()) {
      garbage.note(id);
      objects.remove(id);
    }
  });
  await garbage.remove();
}

class DiskStore implements Store {
  readonly #parts: DiskParts;
  readonly #collector: Collector;
  readonly #statements;
  #closed = false;

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#collector = new Collector(parts);
    this.#statements = {
      idOf: parts.database.prepare("SELECT id FROM object WHERE cid = ?", ({ id }) => Number(id)),
      references: parts.database.prepare(
        `SELECT reference.cid FROM reference JOIN object ON object.id = reference.parent
         WHERE object.cid = ? ORDER BY reference.cid`,
        ({ cid }) => String(cid) as Cid,
      ),
      referrers: parts.database.prepare(
        `SELECT object.cid FROM reference JOIN object ON object.id = reference.parent
         WHERE reference.cid = ? LIMIT 100`,
        ({ cid }) => String(cid) as Cid,
      ),
      stats: parts.database.prepare(`
        SELECT objects, bytes, bytes + logical_difference AS logical_bytes, partial, collected_at,
          (SELECT finished_at FROM scrub) AS scrubbed_at,
          (SELECT count(DISTINCT object) FROM damage) AS damaged
        FROM tally`),
    };
  }

  put(source: ByteSource, options: PutOptions) {
    return this.#attempt(async () => {
      checkNames(options.namespace);
      if (!this.#parts.reserve.isHeld) await this.#parts.reserve.take();
      return putObject(this.#parts, source, options);
    });
  }

  receive(cid: Cid, claim: TreeClaim, options: ReceiveOptions) {
    return this.#attempt(async () => {
      checkNames(options.namespace);
      if (!this.#parts.reserve.isHeld) await this.#parts.reserve.take();
      return receiveObject(this.#parts, cid, claim, options);
    });
  }

  get(cid: Cid, range?: ByteRange, options?: GetOptions) {
    return this.#attempt(() => getObject(this.#parts, cid, range, options));
  }

  slice(cid: Cid, ranges?: readonly ByteRange[], options?: GetOptions) {
    return this.#attempt(() => sliceObject(this.#parts, cid, ranges, options));
  }

  stat(cid: Cid) {
    return this.#attempt(() => {
      const row = this.#parts.objects.find(cid);
      return row === null ? null : this.#statOf(row);
    });
  }

  has(cid: Cid) {
    return this.#attempt(() => this.#parts.objects.find(cid)?.state === "whole");
  }

  findBySha256(sha256: Uint8Array) {
    return this.#attempt(() => {
      const { objects, logical } = this.#parts;
      const found = objects.findBySha256(sha256);
      if (found !== null) return found.cid;
      const manifest = logical.findBySha256(sha256);
      return manifest === null ? null : (objects.findById(manifest)?.cid ?? null);
    });
  }

  list({ after, limit = 1_000 }: { after?: Cid; limit?: number } = {}) {
    return this.#attempt(() => {
      checkAmount("limit", limit, 1);
      const from = after === undefined ? 0 : this.#statements.idOf.get(after);
      if (from === undefined)
        throw new StoreError("object_removed", `${after} was removed: list from the start`);
      return this.#parts.objects.page(from, limit).map((row) => this.#statOf(row));
    });
  }

  link(namespace: string, name: string, cid: Cid): Promise<LinkOutcome> {
    return this.#attempt(async () => {
      checkNames(namespace, name);
      const { keeping, commits, emit } = this.#parts;
      const outcome = await commits.run((): LinkOutcome => {
        const refused = hold(this.#parts, namespace, cid);
        if (refused !== null) return refused;
        const previous = keeping.resolve(namespace, name);
        keeping.link(namespace, name, cid);
        return { kind: "linked", previous };
      });
      if (outcome.kind === "linked") {
        emit({ kind: "linked", namespace, name, cid, previous: outcome.previous });
      }
      return outcome;
    });
  }

  unlink(namespace: string, name: string) {
    return this.#attempt(async () => {
      const { keeping, commits, objects, emit, now } = this.#parts;
      const cid = await commits.run(() => {
        const linked = keeping.resolve(namespace, name);
        keeping.unlink(namespace, name);
        if (linked !== null) objects.touch(linked, now());
        return linked;
      });
      if (cid !== null) emit({ kind: "unlinked", namespace, name, cid });
      return cid;
    });
  }

  resolve(namespace: string, name: string) {
    return this.#attempt(() => this.#parts.keeping.resolve(namespace, name));
  }

  links(namespace: string) {
    return this.#attempt(() => this.#parts.keeping.links(namespace).map(({ name, cid }) => ({ name, cid })));
  }

  linksTo(cid: Cid) {
    return this.#attempt(() =>
      this.#parts.keeping.linksTo(cid).map(({ namespace, name }) => ({ namespace, name })),
    );
  }

  referrers(cid: Cid) {
    return this.#attempt(() => this.#statements.referrers.all(cid));
  }

  references(cid: Cid) {
    return this.#attempt(() => this.#statements.references.all(cid));
  }

  pin(namespace: string, cid: Cid, options: PinOptions = {}): Promise<PinOutcome> {
    return this.#attempt(async () => {
      const { class: kind = "warm", scope = "default", ttlMs } = options;
      checkNames(namespace, scope);
      const { keeping, commits, emit, now } = this.#parts;
      const until = endOf(ttlMs, now());
      const outcome = await commits.run((): PinOutcome => {
        const refused = hold(this.#parts, namespace, cid);
        if (refused !== null) return refused;
        keeping.pin(cid, { namespace, scope, class: kind, until });
        return { kind: "pinned", until };
      });
      if (outcome.kind === "pinned") emit({ kind: "pinned", namespace, cid, class: kind, scope, until });
      return outcome;
    });
  }

  unpin(namespace: string, cid: Cid, scope = "default") {
    return this.#attempt(async () => {
      const { keeping, commits, objects, emit, now } = this.#parts;
      const removed = await commits.run(() => {
        objects.touch(cid, now());
        return keeping.unpin(cid, namespace, scope);
      });
      if (removed) emit({ kind: "unpinned", namespace, cid, scope });
      return removed;
    });
  }

  pins(cid: Cid) {
    return this.#attempt(() => {
      const now = this.#parts.now();
      const pins = this.#parts.keeping.pins(cid).filter(({ until }) => until === null || until > now);
      return pins.map(({ namespace, scope, class: kind, until }) => ({
        namespace,
        scope,
        class: kind,
        until,
      }));
    });
  }

  setQuota(namespace: string, maxBytes: number | null) {
    return this.#attempt(() => {
      checkNames(namespace);
      checkAmount("maxBytes", maxBytes);
      return this.#parts.commits.run(() => this.#parts.keeping.setQuota(namespace, maxBytes));
    });
  }

  usage(namespace: string): Promise<Usage> {
    return this.#attempt(() => this.#parts.keeping.usage(namespace));
  }

  namespaces() {
    return this.#attempt(() => this.#parts.keeping.namespaces());
  }

  gc(options: GcOptions) {
    return this.#attempt(() => {
      checkAmount("graceMs", options.graceMs);
      return this.#collector.run(options);
    });
  }

  verify(cid: Cid, options: ReadingOptions = {}) {
    return this.#attempt(() => verifyObject(this.#parts, cid, options));
  }

  scrub(options: ScrubOptions = {}) {
    return this.#attempt(() => scrubObjects(this.#parts, options));
  }

  repair(cid: Cid, source: LeafSource) {
    return this.#attempt(() => repairObject(this.#parts, cid, source));
  }

  stats() {
    return this.#attempt(() => {
      const row = this.#statements.stats.get() ?? {};
      const timeOf = (value: SqlValue | undefined) => (typeof value === "number" ? value : null);
      return {
        objects: Number(row["objects"]),
        bytes: Number(row["bytes"]),
        logicalBytes: Number(row["logical_bytes"]),
        partial: Number(row["partial"]),
        damaged: Number(row["damaged"]),
        scrubbedAt: timeOf(row["scrubbed_at"]),
        collectedAt: timeOf(row["collected_at"]),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.database[Symbol.dispose]();
  }

  #statOf(row: ObjectRow): ObjectStat {
    const { id, cid, tree, sha256, state, storedAt, verifiedAt } = row;
    const { objects, logical } = this.#parts;
    return {
      cid,
      sizeBytes: tree.size,
      leafSize: tree.leafSize,
      sha256,
      file: logical.fileOf(id, tree.size),
      state,
      storedAt,
      verifiedAt,
      damage: objects.damage(row),
    };
  }

  async #attempt<T>(run: () => T | Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    try {
      return await inStoreTerms(run);
    } catch (error) {
      throw this.#closed ? closedError(error) : error;
    }
  }
}

function closedError(cause?: unknown): StoreError {
  return new StoreError("closed", "the store was closed", { cause });
}
