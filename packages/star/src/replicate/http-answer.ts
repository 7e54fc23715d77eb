import { status } from "@grpc/grpc-js";
import type { SourceMessage } from "./source.ts";

/** What the head of an answer says (spec/star.md §11). */
export type HttpAnswer =
  /** So many bytes of a file follow; `isLast` where the connection ends with them. */
  | { readonly kind: "file"; readonly bytes: number; readonly first: SourceMessage; readonly isLast: boolean }
  /** So many bytes of words follow. */
  | { readonly kind: "refusal"; readonly bytes: number; readonly code: status }
  /** This is nobody who serves files. */
  | { readonly kind: "none"; readonly why: string };

/** In bytes; the words of a refusal are no longer either. */
export const longestHead = 16 * 1024;

/** Reads a head of HTTP/1.1, without the empty line at its end (RFC 9112 §4, §5). */
export function readAnswer(head: string): HttpAnswer {
  const [first = "", ...lines] = head.split("\r\n");
  const [, answered] = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first) ?? [];
  const headers = new Map(lines.map(fieldIn));
  const bytes = numberIn(/^(\d+)$/, headers.get("content-length"));
  if (answered === undefined || headers.has("")) return none("no answer of HTTP/1.1");
  if (bytes === null || headers.has("transfer-encoding")) return none(`HTTP ${answered} without a length`);
  if (answered !== "200" && answered !== "206") {
    const code = numberIn(/^(\d+)$/, headers.get("grpc-status")) ?? status.OK;
    const isOurs = code !== status.OK && status[code] !== undefined && bytes <= longestHead;
    return isOurs ? { kind: "refusal", bytes, code } : none(`HTTP ${answered}`);
  }
  const [, validator] = /^"((?:[0-9a-f]{2})+)"$/.exec(headers.get("etag") ?? "") ?? [];
  const range =
    answered === "200" ? { offset: 0, totalSize: bytes } : rangeIn(headers.get("content-range"), bytes);
  if (validator === undefined || range === null)
    return none(`HTTP ${answered} that does not say which bytes of what it has`);
  const told = { offset: BigInt(range.offset), totalSize: BigInt(range.totalSize) };
  return {
    kind: "file",
    bytes,
    first: { chunk: new Uint8Array(0), validator: Buffer.from(validator, "hex"), ...told },
    isLast: /\bclose\b/i.test(headers.get("connection") ?? ""),
  };
}

/** Nameless where it is none. */
function fieldIn(line: string): readonly [string, string] {
  const [, name = "", value = ""] = /^([\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  return [name.toLowerCase(), value];
}

/** RFC 9110 §14.4; null where it is not of so many bytes. */
function rangeIn(text: string | undefined, bytes: number): { offset: number; totalSize: number } | null {
  const form = /^bytes (\d+)-(\d+)\/(\d+)$/;
  const [offset, last, totalSize] = [1, 2, 3].map((part) => numberIn(form, text, part));
  if (offset == null || last == null || totalSize == null) return null;
  return last - offset + 1 === bytes && last < totalSize ? { offset, totalSize } : null;
}

function numberIn(form: RegExp, text: string | undefined, part = 1): number | null {
  const number = Number(form.exec(text ?? "")?.[part] ?? Number.NaN);
  return Number.isSafeInteger(number) ? number : null;
}

function none(why: string): HttpAnswer {
  return { kind: "none", why };
}
