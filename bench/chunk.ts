import { createHash, randomFillSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCutter, importChunked, openDiskStore } from "@catalyst/store";
import { type Bench, ours, type Row, toRow } from "./report.ts";

const rounds = 7;
const importRounds = 3;
const fileBytes = 256 * 1024 * 1024;
const pieceBytes = 1024 * 1024;
const floorName = "node-floor";
const namespace = "bench";

/**
 * A file of random bytes that arrives in pieces of 1 MiB, in one thread. `dedup` finds where its chunks end, with the
 * default parameters; the floor is plain SHA-256 over the same pieces. `import` stores it on the disk of the folder for
 * temporary files: in chunks, the same file once more, as one object (`put`), and as plain Node does, which hashes it,
 * writes it to a file and syncs it.
 */
export const bench: Bench = {
  name: "chunk",
  targets: [{ case: "dedup", metric: "throughput", atLeast: 300 }],
  run: async (say) => {
    const file = randomFillSync(Buffer.alloc(fileBytes));
    const pieces = Array.from({ length: fileBytes / pieceBytes }, (_, at) =>
      file.subarray(at * pieceBytes, (at + 1) * pieceBytes),
    );
    say("cutting");
    const cut = await measure("dedup", rounds, {
      [ours]: () => cutAll(pieces),
      [floorName]: () => digest(pieces),
    });
    return [...cut, ...(await measureImport(pieces, say))];
  },
};

type Systems = Readonly<Record<string, () => unknown>>;

/** Side by side, after one round that does not count. */
async function measure(name: string, count: number, systems: Systems): Promise<Row[]> {
  const values = new Map(Object.keys(systems).map((system) => [system, [] as number[]]));
  for (let round = 0; round <= count; round++) {
    for (const [system, run] of Object.entries(systems)) {
      const start = performance.now();
      await run();
      const rate = fileBytes / 1_000 / (performance.now() - start);
      if (round > 0) values.get(system)?.push(rate);
    }
  }
  return [...values].map(([system, all]) =>
    toRow({ case: name, metric: "throughput", system, unit: "MB/s" }, all),
  );
}

/** Each round has a store of its own, in which the same file is imported twice. */
async function measureImport(
  pieces: readonly Uint8Array[],
  say: (text: string) => void,
): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-chunk-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  try {
    let chunked = "";
    const importTo = async (path: string) => {
      await using store = await openDiskStore(path);
      const { kind } = await importChunked(store, pieces, { namespace });
      if (kind !== "stored") throw new Error(`the import ended as ${kind}`);
    };
    return await measure("import", importRounds, {
      [ours]: () => {
        say(`importing, putting and writing ${fileBytes / 1_048_576} MiB`);
        chunked = mkdtempSync(join(folder, "chunked-"));
        return importTo(chunked);
      },
      [`${ours}+again`]: () => importTo(chunked),
      [`${ours}+put`]: async () => {
        await using store = await openDiskStore(mkdtempSync(join(folder, "plain-")));
        await store.put(pieces, { namespace });
      },
      [floorName]: () => writePlain(join(mkdtempSync(join(folder, "floor-")), "file"), pieces),
    });
  } finally {
    remove();
    process.off("exit", remove);
  }
}

function cutAll(pieces: readonly Uint8Array[]): number {
  const cutter = createCutter();
  let chunks = 0;
  for (const piece of pieces) {
    for (let at = cutter.next(piece, 0); at >= 0; at = cutter.next(piece, at)) chunks += 1;
  }
  return chunks;
}

function digest(pieces: readonly Uint8Array[]): void {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  hash.digest();
}

async function writePlain(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const hash = createHash("sha256");
  await using file = await open(path, "w");
  for (const piece of pieces) {
    hash.update(piece);
    await file.write(piece);
  }
  await file.sync();
  hash.digest();
}
