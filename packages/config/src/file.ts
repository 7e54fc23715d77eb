import { readFileSync, statSync } from "node:fs";
import { type FileSource, makeFault, type Report } from "./fault.ts";
import { readJson } from "./json-text.ts";
import type { Raw } from "./raw.ts";

/** The largest configuration file that is read. */
export const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** A configuration file: its text, or why there is none ("there is no such file"). */
export type ConfigFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly unreadable: string };

/** Reads a file of at most {@link MAX_FILE_BYTES}. What hinders it is for `loadConfig` to report with the rest. */
export function readConfigFile(path: string): ConfigFile {
  try {
    const stat = statSync(path);
    if (!stat.isFile() && !stat.isFIFO()) return { path, unreadable: "this is not a file" };
    if (stat.size > MAX_FILE_BYTES) return { path, unreadable: TOO_LARGE };
    return {
      path,
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path)),
    };
  } catch (cause) {
    return { path, unreadable: reason(cause) };
  }
}

const TOO_LARGE = `it is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`;

function reason(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  switch (code) {
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
      return "this user may not read it";
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return "it is not UTF-8 text";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

/** The file's layer. `complete` is false when it could not be read as a whole. */
export function fileLayer(file: ConfigFile, report: Report): { raw: Raw | undefined; complete: boolean } {
  const whole: FileSource = { kind: "file", path: file.path };
  const hindrance = "unreadable" in file ? file.unreadable : tooLarge(file.text);
  if (hindrance !== undefined || "unreadable" in file) {
    report(makeFault("", whole, `cannot be read: ${hindrance}`));
    return { raw: undefined, complete: false };
  }
  const text = file.text.startsWith("\ufeff") ? file.text.slice(1) : file.text;
  const place = placeIn(text);
  const at = (offset: number): FileSource => ({ ...whole, ...place(offset) });
  const { raw, complete } = readJson({ text, key: "", at }, report);
  if (raw === undefined) return { raw, complete };
  if (raw.kind !== "object") {
    report(makeFault("", raw.source, "is not an object", { hint: 'a configuration begins with "{"' }));
    return { raw: undefined, complete: false };
  }
  const fields = new Map(raw.fields);
  fields.delete("$schema");
  return { raw: { ...raw, fields }, complete };
}

function tooLarge(text: string): string | undefined {
  return Buffer.byteLength(text) > MAX_FILE_BYTES ? TOO_LARGE : undefined;
}

/** Turns offsets into lines and columns, both from 1. */
function placeIn(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
