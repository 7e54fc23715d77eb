import type { ByteRange, Cid } from "@catalyst/wire";
import { StoreError } from "../errors.ts";
import type { Damage } from "../events.ts";
import { bytesOf } from "../range-set.ts";
import {
  defaultScrubBytesPerSecond,
  type ReadingOptions,
  type ScrubOptions,
  type ScrubReport,
  type VerifyOutcome,
} from "../store.ts";
import { openBytes } from "./object-bytes.ts";
import { type ObjectRow, openRecordCheck } from "./objects.ts";
import { createPace, type Pace } from "./pace.ts";
import type { DiskParts } from "./parts.ts";
import { noteDamage, readVerified } from "./read.ts";
import { checkKeeping } from "./soundness.ts";

/** What is read between two notes of how far a round has come. */
const segmentBytes = 64 * 1024 * 1024;
/** What is read, or left out, as a whole when a sample is taken. */
const sampleBytes = 1024 * 1024;

/** {@link Store.verify} on disk. */
export async function verifyObject(
  parts: DiskParts,
  cid: Cid,
  options: ReadingOptions = {},
): Promise<VerifyOutcome> {
  const { objects, commits, now } = parts;
  const row = objects.find(cid);
  if (row === null) return { kind: "not_found" };
  const ranges = rangesOf(row);
  const damage = await inspect(parts, row, ranges, createPace(options));
  await noteDamage(parts, row, damage);
  await commits.run(() => {
    objects.setDamage(row.id, damage);
    if (damage.length === 0) objects.setVerified(row.id, now());
  });
  const sizeBytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return damage.length === 0 ? { kind: "intact", sizeBytes } : { kind: "damaged", damage };
}

/** {@link Store.scrub} on disk: a round over all objects, which goes on where the last one was ended. */
export async function scrubObjects(parts: DiskParts, options: ScrubOptions): Promise<ScrubReport> {
  const { signal } = options;
  const round = new Round(parts, options);
  const finished = await round.run().catch((error: unknown) => {
    if (signal?.aborted && error === signal.reason) return false;
    throw error;
  });
  const { objects, bytes, damage } = round;
  parts.emit({ kind: "scrubbed", objects, bytes, damaged: damage.length, finished });
  return { objects, bytes, damage, finished };
}

class Round {
  readonly #parts: DiskParts;
  readonly #sampleRate: number;
  readonly #pace: Pace;
  readonly #statements;
  objects = 0;
  bytes = 0;
  readonly damage: Damage[] = [];

  constructor(parts: DiskParts, options: ScrubOptions) {
    const { sampleRate = 1, maxBytesPerSecond = defaultScrubBytesPerSecond } = options;
    if (!(sampleRate > 0 && sampleRate <= 1)) {
      throw new StoreError("option_invalid", `sampleRate ${sampleRate} is not above 0 and at most 1`);
    }
    if (!(maxBytesPerSecond > 0)) {
      throw new StoreError("option_invalid", `maxBytesPerSecond ${maxBytesPerSecond} is not above 0`);
    }
    this.#parts = parts;
    this.#sampleRate = sampleRate;
    const pace = createPace(options, maxBytesPerSecond);
    this.#pace = (bytes) => {
      this.bytes += bytes;
      return pace(bytes);
    };
    this.#statements = {
      check: openRecordCheck(parts.database),
      cursor: parts.database.prepare("SELECT object, offset FROM scrub", (row) => ({
        object: Number(row["object"]),
        offset: Number(row["offset"]),
      })),
      move: parts.database.prepare("UPDATE scrub SET object = ?, offset = ?"),
      finish: parts.database.prepare("UPDATE scrub SET object = 0, offset = 0, finished_at = ?"),
    };
  }

  async run(): Promise<boolean> {
    const { commits, objects, now } = this.#parts;
    let cursor = this.#statements.cursor.get() ?? { object: 0, offset: 0 };
    if (cursor.object === 0) await checkKeeping(this.#parts);
    for (let id = objects.nextId(cursor.object); id !== null; id = objects.nextId(cursor.object)) {
      const offset = id === cursor.object ? cursor.offset : 0;
      const end = await this.#scrubSegment(id, offset);
      cursor = end === null ? { object: id + 1, offset: 0 } : { object: id, offset: end };
      if (end !== null || this.objects % 100 === 0) await this.#move(cursor);
    }
    await commits.run(() => this.#statements.finish.run(now()));
    return true;
  }

  #move({ object, offset }: { object: number; offset: number }): Promise<unknown> {
    return this.#parts.commits.run(() => this.#statements.move.run(object, offset));
  }

  /** Verifies a part of an object; returns where the next one begins, or null at the end. */
  async #scrubSegment(id: number, offset: number): Promise<number | null> {
    const row = this.#find(id);
    const end = offset + segmentBytes;
    if (row !== null) {
      const ranges = this.#sample(rangesOf(row), offset, end);
      const damage = await inspect(this.#parts, row, ranges, this.#pace);
      this.damage.push(...damage);
      await noteDamage(this.#parts, row, damage);
      if (end < row.tree.size) return end;
      if (this.#sampleRate === 1) await this.#noteIntact(row);
    }
    this.objects += 1;
    return null;
  }

  #find(id: number): ObjectRow | null {
    try {
      this.#statements.check(id, id + 1);
      return this.#parts.objects.findById(id);
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "record_damaged")) throw error;
      const { cid } = error.evidence;
      if (cid === undefined) throw error;
      const damage: Damage = { cid, part: "record", firstLeaf: 0, leaves: 0 };
      this.damage.push(damage);
      this.#parts.emit({ kind: "damaged", damage });
      return null;
    }
  }

  async #noteIntact(row: ObjectRow): Promise<void> {
    const { commits, objects, now } = this.#parts;
    if (objects.damage(row).length > 0) return;
    await commits.run(() => objects.setVerified(row.id, now()));
  }

  #sample(ranges: readonly ByteRange[], from: number, to: number): readonly ByteRange[] {
    const sample: ByteRange[] = [];
    for (const range of ranges) {
      const last = Math.min(range.end, to);
      for (let start = Math.max(range.start, from); start < last; start += sampleBytes) {
        const taken = this.#sampleRate === 1 || this.#parts.random() < this.#sampleRate;
        if (taken) sample.push({ start, end: Math.min(last, start + sampleBytes) });
      }
    }
    return sample;
  }
}

/** The bytes of an object that are here. */
function rangesOf({ state, ranges, tree }: ObjectRow): readonly ByteRange[] {
  if (state === "partial") return bytesOf(ranges, tree);
  return tree.size === 0 ? [] : [{ start: 0, end: tree.size }];
}

/** Reads ranges and says what of them is damaged, adjacent leaves together. */
async function inspect(
  parts: DiskParts,
  row: ObjectRow,
  ranges: readonly ByteRange[],
  pace: Pace,
): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  const onDamage = (found: Damage) => {
    const last = damage.at(-1);
    const follows = last?.part === found.part && last.firstLeaf + last.leaves === found.firstLeaf;
    if (follows) damage[damage.length - 1] = { ...last, leaves: last.leaves + found.leaves };
    else damage.push(found);
  };
  await using opened = await openBytes(parts, row, ranges);
  for await (const { step } of readVerified(row, ranges, opened, onDamage)) {
    if (step.kind !== "leaf") continue;
    const wait = pace(step.length);
    if (wait !== undefined) await wait;
  }
  return damage;
}
