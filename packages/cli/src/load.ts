import { existsSync } from "node:fs";
import {
  type LoadedConfig,
  loadConfig,
  type ParsedFlags,
  readConfigFile,
  renderFaults,
} from "@catalyst/config";
import { dataDirOf, type NodeConfig, nodeConfig } from "@catalyst/node";
import { environment } from "./environment.ts";
import { CommandError, exitCode } from "./exit-code.ts";

/** Read when `--config` is not given and the file is there. */
const defaultFile = "catalyst.json";

/** A configuration in force, where each value came from, and the data directory that follows from it. */
export type Loaded = {
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly loaded: LoadedConfig<typeof nodeConfig.schema>;
};

/**
 * Loads the node's configuration: file, then environment, then flags. Throws {@link CommandError} with exit
 * code 2 that lists every fault.
 */
export function loadNode(configFile: string | undefined, flags: ParsedFlags): Loaded {
  const named = configFile ?? environment["CATALYST_CONFIG"];
  const path = named ?? (existsSync(defaultFile) ? defaultFile : undefined);
  const file = path === undefined ? undefined : readConfigFile(path);
  const result = loadConfig(nodeConfig, { ...(file === undefined ? {} : { file }), env: environment, flags });
  if (!result.ok) throw new CommandError(exitCode.usage, renderFaults(result.faults));
  const dataDir = dataDirOf(result.value, environment["XDG_DATA_HOME"]);
  return { config: result.value, dataDir, loaded: result };
}
