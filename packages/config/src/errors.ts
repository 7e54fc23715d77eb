/**
 * What is wrong with a schema, found by `defineConfig` before any configuration is read. Wrong *input* never
 * throws: `loadConfig` returns it as {@link Fault}s.
 *
 * - `schema_unsupported`: this schema cannot be written in a file, as flags and as variables alike (a transform,
 *   a date, an object that drops unknown keys, …). Rewrite the option named by `key` with plain JSON types.
 * - `name_taken`: two options ask for the same flag or variable. Give one of them another `flag`, or rename it.
 */
export type ConfigErrorCode = "schema_unsupported" | "name_taken";

/** A fault of the schema's author. `key` is the dotted path of the option. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode;
  readonly key: string;

  constructor(code: ConfigErrorCode, key: string, message: string) {
    super(`${key === "" ? "the schema" : key}: ${message}`);
    this.code = code;
    this.key = key;
  }
}
