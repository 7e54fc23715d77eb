import { hash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FileSystem } from "@catalyst/durable";
import { ReplicateRequestSchema } from "../../generated/orbit/v1/orbit_pb.js";
import type { Replicated } from "../server/replicating.ts";
import { BlockPool } from "./block-pool.ts";
import { Digester } from "./digester.ts";
import { Replicator, type ReplicatorOptions } from "./replicator.ts";
import type { SourceAddress, SourceProvider } from "./source.ts";
import type { TargetDisk } from "./target-disk.ts";

/** Bytes in the blocks of {@link smallBlocks}: a file of some of them has all that a large one has. */
export const testBlockBytes = 4_096;

/** Blocks of 4 KiB, shared by all tests of a file. */
export const smallBlocks = new Digester(new BlockPool(testBlockBytes));

/** The target on a file system that a test stands behind; its files are in `/`. */
export function testTarget(files: FileSystem): TargetDisk {
  return {
    files,
    create: (path) => files.open(path, "create"),
    reopen: async (path) => ((await files.stat(path)) === null ? null : await files.open(path, "update")),
    finish: async () => undefined,
    identityOf: async (folder) => folder,
    freeBytes: async () => Number.POSITIVE_INFINITY,
  };
}

const holdPlace = (path: string) => ({ folder: "", key: "", name: path, [Symbol.dispose]: () => undefined });

/** A destination that waits for nothing longer than it must. */
export function testReplicator(
  files: FileSystem,
  sources: SourceProvider,
  options: ReplicatorOptions = {},
): Replicator {
  return new Replicator({
    jail: {
      holdPlace,
      visit: () => ({ holdPlace, [Symbol.dispose]: () => undefined }),
    },
    disk: testTarget(files),
    sources,
    digester: smallBlocks,
    options: { silentMs: 250, lateMs: 20, pieceBytes: 16 * testBlockBytes, sleep: shortSleep, ...options },
  });
}

/** A hundredth of the time. */
async function shortSleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms / 100);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Fetches `file` from the sources, of which the first is the one to name. */
export function replicateFrom(
  replicator: Replicator,
  [first, ...sources]: readonly SourceAddress[],
  wanted: MessageInitShape<typeof ReplicateRequestSchema> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Replicated> {
  const { url = "", path = "", token = "" } = first ?? {};
  const named = { sourceStarUrl: url, remotePath: path, transferToken: token, localPath: "file" };
  const request = create(ReplicateRequestSchema, { ...named, sources: [...sources], ...wanted });
  return replicator.replicate(request, signal);
}

/** The names of what is beside the final one. */
export function partOf(name: string): { readonly part: string; readonly log: string } {
  const hidden = `.orbit-${hash("sha256", name).slice(0, 16)}`;
  return { part: `${hidden}.part`, log: `${hidden}.log` };
}

/** The content of a file; null where there is none. */
export async function contentOf(files: FileSystem, path: string): Promise<Buffer | null> {
  const stat = await files.stat(path);
  if (stat === null) return null;
  const bytes = Buffer.alloc(stat.sizeBytes);
  const file = await files.open(path, "read");
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}
