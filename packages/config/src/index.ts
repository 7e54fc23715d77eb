export { z } from "zod";
export {
  type Address,
  isAddress,
  isAnyAddress,
  isHostAddress,
  isLoopback,
  parseAddress,
  parseHostAddress,
  readAddress,
  readHostAddress,
  showAddress,
} from "./address.ts";
export {
  type ConfigDefinition,
  type DefinitionSettings,
  defineConfig,
} from "./definition.ts";
export type { Environment } from "./environment.ts";
export { ConfigError, type ConfigErrorCode } from "./errors.ts";
export { type Fault, type FileSource, renderFaults, renderSource, type Source } from "./fault.ts";
export { type ConfigFile, readConfigFile } from "./file.ts";
export { addFlags, type GivenFlag, type ParsedFlags, readFlags } from "./flags.ts";
export { jsonSchema } from "./json-schema.ts";
export { type ConfigInput, type LoadedConfig, type LoadResult, loadConfig } from "./load.ts";
export { nearest } from "./nearest.ts";
export { keyedList, type OptionMeta, option } from "./option.ts";
export { referencePage } from "./reference.ts";
export { type ShownConfig, type ShownOption, showConfig } from "./show.ts";
