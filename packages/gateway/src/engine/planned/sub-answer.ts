import type { ExecutionResult } from "graphql";
import { ownExtensions } from "../../errors.ts";
import type { DataObject } from "./data.ts";
import { FieldFailure, type Loss } from "./field-failure.ts";
import { prune, type SubShape } from "./sub-shape.ts";

/** An error as clients get it, but for its path. */
export type SubError = {
  readonly message: string;
  readonly extensions: Readonly<Record<string, unknown>>;
};

/** What a service answered, its errors standing where their values are missing. */
export type SubAnswer = {
  /** Null when nothing came; `lost` says why then. */
  readonly data: DataObject | null;
  readonly lost: FieldFailure;
  /** Errors that belong to no value that is missing, with their paths as the service gave them. */
  readonly unplaced: readonly { readonly error: SubError; readonly path: readonly (string | number)[] }[];
};

const nothingLost = new FieldFailure([]);

/**
 * Reads a service's answer to what it was asked for: what was not is left out, and every error is put where its path
 * ends, or where the data ends before that.
 */
export function readSubAnswer(service: string, shape: SubShape, result: ExecutionResult): SubAnswer {
  const data = (result.data ?? null) as DataObject | null;
  if (data !== null) prune(data, shape);
  const { errors } = result;
  if (errors === undefined || errors.length === 0) {
    return { data, lost: data === null ? nothingCame(service) : nothingLost, unplaced: [] };
  }
  const lost: Loss[] = [];
  const unplaced: { error: SubError; path: readonly (string | number)[] }[] = [];
  for (const { message, path, extensions } of errors) {
    const error = { message, extensions: namedExtensions(service, extensions) };
    if (data === null) lost.push({ error, below: isPath(path) ? path : [] });
    else if (!isPath(path) || !place(data, shape, path, error)) {
      unplaced.push({ error, path: isPath(path) ? path : [] });
    }
  }
  return { data, lost: new FieldFailure(lost), unplaced };
}

function nothingCame(service: string): FieldFailure {
  const message = `Service "${service}" answered with neither data nor errors.`;
  const extensions = ownExtensions({ code: "SERVICE_BAD_RESPONSE", service });
  return new FieldFailure([{ error: { message, extensions }, below: [] }]);
}

/** `http` is dropped: it would set status and headers of the gateway's answer in servers that heed it. */
function namedExtensions(service: string, extensions: unknown): Readonly<Record<string, unknown>> {
  if (typeof extensions !== "object" || extensions === null) return { service };
  const { http: _, ...kept } = extensions as Record<string, unknown>;
  return { ...kept, service };
}

function isPath(path: unknown): path is (string | number)[] {
  return (
    Array.isArray(path) &&
    path.length > 0 &&
    path.every((key) => typeof key === "string" || typeof key === "number")
  );
}

/** False when there is a value where the error says that one is missing, or when none was asked for there. */
function place(
  data: DataObject,
  shape: SubShape,
  path: readonly (string | number)[],
  error: SubError,
): boolean {
  let holder: DataObject = data;
  let asked: SubShape | null = shape;
  for (const [depth, key] of path.entries()) {
    if (typeof key === "number" ? !(key in holder && Array.isArray(holder)) : !asked?.has(key)) return false;
    const value = holder[key];
    if (value === null || value === undefined || value instanceof FieldFailure) {
      const loss = { error, below: path.slice(depth + 1) };
      holder[key] = new FieldFailure(value instanceof FieldFailure ? [...value.losses, loss] : [loss]);
      return true;
    }
    if (typeof value !== "object") return false;
    holder = value as DataObject;
    if (typeof key === "string") asked = asked?.get(key) ?? null;
  }
  return false;
}
