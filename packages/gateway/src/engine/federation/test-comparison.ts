import type { ExecutionResult } from "graphql";
import type { OracleAnswer } from "./test-monolith.ts";

type Path = readonly (string | number)[];

/**
 * What is wrong with an engine's answer, in words; null when it is right.
 *
 * `data` is the oracle's to the byte. Of errors the specification asks for one per null that an error caused, and
 * leaves open which one when several would have had it: so the nulls must be the same, and every error must stand
 * where the oracle's resolvers failed.
 */
export function differenceOf(actual: ExecutionResult, { result, failures }: OracleAnswer): string | null {
  const data = JSON.stringify(actual.data);
  if (data !== JSON.stringify(result.data)) return "data";
  const expected = causedNulls(result);
  const caused = causedNulls(actual);
  const missing = [...expected].filter((path) => !caused.has(path));
  if (missing.length > 0) return `no error for the null at ${missing.join(", ")}`;
  const extra = [...caused].filter((path) => !expected.has(path));
  if (extra.length > 0) return `an error for ${extra.join(", ")}, where there is none`;
  const elsewhere = pathsOf(actual).filter((path) => !failures.has(path));
  if (elsewhere.length > 0) return `an error at ${elsewhere.join(", ")}, where nothing failed`;
  return null;
}

/** The nulls of the answer that errors caused: where their paths end, at the latest. */
function causedNulls({ data, errors }: ExecutionResult): Set<string> {
  return new Set((errors ?? []).map(({ path }) => JSON.stringify(nullOn(path ?? [], data))));
}

function nullOn(path: Path, data: unknown): Path | string {
  let value = data;
  for (const [i, step] of path.entries()) {
    if (value === null || value === undefined) return path.slice(0, i);
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value === null ? path : `${path.join(".")}, which is not null`;
}

function pathsOf({ errors }: ExecutionResult): string[] {
  return (errors ?? []).map(({ path }) => JSON.stringify(path ?? []));
}
