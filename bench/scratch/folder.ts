import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";

/** A folder on a disk with so much room that is gone in the end, also when somebody ends the benchmark. */
export function makeFolder(parent: string, neededBytes: number): Disposable & { readonly path: string } {
  const { bavail, bsize } = statfsSync(parent);
  if (bavail * bsize < neededBytes)
    throw new Error(`${parent} has less than ${Math.ceil(neededBytes / 1024 ** 3)} GiB left`);
  const path = mkdtempSync(join(parent, "catalyst-bench-"));
  const remove = () => rmSync(path, { recursive: true, force: true });
  const stop = () => process.exit(130);
  process.on("exit", remove).on("SIGINT", stop).on("SIGTERM", stop);
  return {
    path,
    [Symbol.dispose]: () => {
      process.off("exit", remove).off("SIGINT", stop).off("SIGTERM", stop);
      remove();
    },
  };
}
