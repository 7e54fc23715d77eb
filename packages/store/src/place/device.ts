import { DurableError, type FileSystem } from "@catalyst/durable";
import {
  type Cid,
  cidOfTree,
  createRangeVerifier,
  type HashedObject,
  parseCid,
  type Tree,
  WireError,
  wholeObject,
} from "@catalyst/wire";
import { type ObjectBytes, openFiles } from "../disk/object-bytes.ts";
import type { Pace } from "../disk/pace.ts";
import { readVerified } from "../disk/read.ts";
import { TreeWriter } from "../disk/tree-writer.ts";
import { decodePlan, encodePlan, maxBlockBytes, maxPlanBytes, type Plan } from "./plan.ts";

const writing = ".new";
/** What we name a file: the CID of an object, and what of it the file holds. Whatever else is in the folder is somebody else's. */
const ours = /^(b[a-z2-7]{63})\.(?:plan|\d+\.(?:data|outboard))(\.new)?$/;

/**
 * A folder that stands for a device: `<cid>.plan`, and `<cid>.<shard>.data` and `.outboard`. A shard without a plan
 * was never finished.
 */
export class Device {
  readonly folder: string;
  readonly #files: FileSystem;

  constructor(files: FileSystem, folder: string) {
    this.#files = files;
    this.folder = folder;
  }

  /** Removes what a crash left of placements that were not finished, and of shards that were being made anew. */
  async sweep(): Promise<void> {
    const names = await this.#list();
    const planned = new Set<string>(plannedIn(names));
    for (const name of names) {
      const [, cid = "", unfinished] = ours.exec(name) ?? [];
      if (!isCid(cid) || (planned.has(cid) && unfinished === undefined)) continue;
      await this.#files.remove(`${this.folder}/${name}`);
    }
  }

  /** The objects of which there is a plan. */
  async placed(): Promise<readonly Cid[]> {
    return plannedIn(await this.#list());
  }

  async #list(): Promise<readonly string[]> {
    return (await ifReadable(() => this.#files.list(this.folder))) ?? [];
  }

  readPlan(cid: Cid): Promise<Plan | null> {
    return ifReadable(() => this.#readPlan(cid));
  }

  async #readPlan(cid: Cid): Promise<Plan | null> {
    const path = this.#planPath(cid);
    const stat = await this.#files.stat(path);
    if (stat?.kind !== "file" || stat.sizeBytes > maxPlanBytes) return null;
    const bytes = new Uint8Array(stat.sizeBytes);
    const file = await this.#files.open(path, "read");
    try {
      await file.read(bytes, 0);
    } finally {
      await file.close();
    }
    const plan = decodePlan(bytes);
    return plan?.cid === cid ? plan : null;
  }

  /** Puts a plan in place, whole or not at all, and with it all shards that were written before. */
  async writePlan(plan: Plan): Promise<void> {
    const path = this.#planPath(plan.cid);
    await this.#files.remove(path + writing);
    const file = await this.#files.open(path + writing, "create");
    try {
      await file.write(encodePlan(plan), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.syncFolder(this.folder);
    await this.#files.rename(path + writing, path);
    await this.#files.syncFolder(this.folder);
  }

  /** Begins a shard beside what may be there. */
  async beginShard(cid: Cid, shard: number): Promise<ShardWriter> {
    const paths = this.#paths(cid, shard);
    for (const path of [paths.data, paths.outboard]) await this.#files.remove(path + writing);
    const data = await this.#files.open(paths.data + writing, "create");
    const outboard = await this.#files.open(paths.outboard + writing, "create");
    const writer = new TreeWriter({ data, outboard }, { leafSize: maxBlockBytes, sha256: false });
    return {
      append: (block) => writer.append(block),
      finish: () => writer.finish(),
      publish: async () => {
        for (const path of [paths.data, paths.outboard]) await this.#files.rename(path + writing, path);
        await this.#files.syncFolder(this.folder);
      },
      close: async () => {
        await writer.settle();
        await data.close();
        await outboard.close();
        for (const path of [paths.data, paths.outboard]) await this.#files.remove(path + writing);
      },
    };
  }

  async hasShard(cid: Cid, shard: number): Promise<boolean> {
    return (await ifReadable(() => this.#files.stat(this.#paths(cid, shard).data))) !== null;
  }

  /** Null when it cannot be opened. */
  openShard(cid: Cid, shard: number, tree: Tree): Promise<ObjectBytes | null> {
    return ifReadable(() => openFiles(this.#files, this.#paths(cid, shard), tree, wholeObject));
  }

  /** Whether every byte of a shard is what the plan says. */
  async isIntact(cid: Cid, shard: number, tree: Tree, pace: Pace): Promise<boolean> {
    return (await ifReadable(() => this.#isIntact(cid, shard, tree, pace))) ?? false;
  }

  async #isIntact(cid: Cid, shard: number, tree: Tree, pace: Pace): Promise<boolean> {
    await using bytes = await this.openShard(cid, shard, tree);
    if (bytes === null) return false;
    let isDamaged = false;
    const onDamage = () => {
      isDamaged = true;
    };
    const steps = readVerified({ cid: cidOfTree(tree), tree }, wholeObject, bytes, onDamage);
    for (let next = await steps.next(); !isDamaged && !next.done; next = await steps.next()) {
      await pace(next.value.step.kind === "leaf" ? next.value.step.length : 0);
    }
    return !isDamaged;
  }

  /**
   * Removes all of an object but what is being written; the plan last, so that a crash leaves what can be removed
   * again.
   */
  async remove(cid: Cid): Promise<void> {
    const names = await this.#files.list(this.folder);
    if (names === null) return; // the device is not there
    const own = names.filter((name) => name.startsWith(`${cid}.`) && !/\.(?:plan|new)$/.test(name));
    for (const name of own) await this.#files.remove(`${this.folder}/${name}`);
    await this.#files.remove(this.#planPath(cid));
    await this.#files.syncFolder(this.folder);
  }

  #planPath(cid: Cid): string {
    return `${this.folder}/${cid}.plan`;
  }

  #paths(cid: Cid, shard: number): { readonly data: string; readonly outboard: string } {
    const path = `${this.folder}/${cid}.${shard}`;
    return { data: `${path}.data`, outboard: `${path}.outboard` };
  }
}

function plannedIn(names: readonly string[]): readonly Cid[] {
  const plans = names.filter((name) => ours.test(name) && name.endsWith(".plan"));
  return plans.map((name) => name.slice(0, -".plan".length)).filter(isCid);
}

function isCid(text: string): text is Cid {
  try {
    return parseCid(text) === text;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

/** A shard that is being written. `close` removes what was not published. */
export type ShardWriter = {
  append(block: Uint8Array): Promise<void>;
  finish(): Promise<HashedObject>;
  publish(): Promise<void>;
  close(): Promise<void>;
};

/** One block of a shard, proven by the shard's tree; null when it is damaged. */
export async function readBlock(bytes: ObjectBytes, tree: Tree, offset: number): Promise<Uint8Array | null> {
  const verifier = createRangeVerifier(tree, [{ start: offset, end: offset + 1 }]);
  try {
    for (let step = verifier.next(); step !== null; step = verifier.next()) {
      if (step.kind === "parent") verifier.acceptParent(await bytes.pair(step.left, step.right));
      else {
        const block = await bytes.leaf(step.offset, step.length);
        verifier.acceptLeaf(block);
        return block;
      }
    }
    return null;
  } catch (error) {
    if (error instanceof WireError && error.code === "tree_mismatch") return null;
    if (isUnreadable(error)) return null;
    throw error;
  }
}

/** What a device that cannot be read has is looked for on the others: it is what they are for. */
async function ifReadable<T>(run: () => Promise<T>): Promise<T | null> {
  try {
    return await run();
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof DurableError && error.code === "io_failed";
}
