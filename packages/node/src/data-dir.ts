import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { defaultDataDir, runFolder } from "@catalyst/rpc";
import { NodeError } from "./errors.ts";
import type { NodeConfig } from "./options.ts";
import { paths } from "./paths.ts";

/** The folder of all that a node keeps: the configured one, else {@link defaultDataDir}. */
export function dataDirOf(config: NodeConfig, xdgDataHome: string | undefined): string {
  const { dataDir, name } = config.node;
  return dataDir === undefined ? defaultDataDir(name, xdgDataHome) : resolve(dataDir);
}

/** Makes the data folder and its folder of sockets, both open to their owner alone. */
export function prepareDataDir(dataDir: string): void {
  for (const folder of [dataDir, paths.logs(dataDir), runFolder(dataDir)]) {
    try {
      makeFolder(folder);
    } catch (error) {
      throw unusable(folder, (error as Error).message, error);
    }
    const { uid, mode } = lstatSync(folder);
    const own = process.getuid?.();
    if (own !== undefined && uid !== own) throw unusable(folder, `it belongs to user ${uid}`);
    if (folder === runFolder(dataDir) && (mode & 0o077) !== 0) throw unusable(folder, "others may open it");
  }
}

/** Node's own recursion never ends below `/proc`. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function unusable(folder: string, why: string, cause?: unknown): NodeError {
  return new NodeError(
    "data_dir_unusable",
    `${folder} cannot be used: ${why}. Mend that, or choose another with --node-data-dir`,
    { cause },
  );
}
