import type { ExecutionResult } from "graphql";

/** JSON in UTF-8, or text that is to become it. */
type Part = string | Uint8Array;

/**
 * A value of an answer that is JSON already, in pieces as they came. It is that value to `JSON.stringify`; who writes
 * the answer can spare the detour and take the pieces. Bytes are not copied until then, and are never part of the heap.
 */
export class JsonText {
  readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  toJSON(): unknown {
    return JSON.parse(join(this.parts).toString());
  }
}

/** A value as JSON; it may hold {@link JsonText} anywhere. */
export function toJsonText(value: unknown): JsonText {
  const writer = new Writer();
  writer.write(value);
  return new JsonText(writer.parts());
}

/** The JSON of a result; as bytes when some of it was JSON already. */
export function writeResult(result: ExecutionResult<unknown>): string | Buffer {
  const { data, ...rest } = result;
  if (!(data instanceof JsonText)) return JSON.stringify(result);
  const before = JSON.stringify(rest).slice(0, -1);
  return join([`${before}${before === "{" ? "" : ","}"data":`, ...data.parts, "}"]);
}

class Writer {
  readonly #parts: Part[] = [];
  #text = "";

  parts(): Part[] {
    this.#flush();
    return this.#parts;
  }

  write(value: unknown): void {
    if (typeof value !== "object" || value === null) this.#text += JSON.stringify(value) ?? "null";
    else if (value instanceof JsonText) this.#take(value);
    else if (Array.isArray(value)) this.#list(value);
    else this.#object(value as Readonly<Record<string, unknown>>);
  }

  #take({ parts }: JsonText): void {
    this.#flush();
    for (const part of parts) this.#parts.push(part);
  }

  #list(values: readonly unknown[]): void {
    let before = "[";
    for (const value of values) {
      this.#text += before;
      this.write(value);
      before = ",";
    }
    this.#text += before === "[" ? "[]" : "]";
  }

  #object(fields: Readonly<Record<string, unknown>>): void {
    let before = "{";
    for (const key of Object.keys(fields)) {
      this.#text += `${before}${JSON.stringify(key)}:`;
      this.write(fields[key]);
      before = ",";
    }
    this.#text += before === "{" ? "{}" : "}";
  }

  #flush(): void {
    if (this.#text !== "") this.#parts.push(this.#text);
    this.#text = "";
  }
}

function join(parts: readonly Part[]): Buffer {
  let size = 0;
  for (const part of parts) size += typeof part === "string" ? Buffer.byteLength(part) : part.length;
  const joined = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    if (typeof part === "string") at += joined.write(part, at);
    else {
      joined.set(part, at);
      at += part.length;
    }
  }
  return joined;
}
