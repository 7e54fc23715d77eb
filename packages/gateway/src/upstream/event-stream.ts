/** One event of a `text/event-stream` body. */
export type StreamEvent = { readonly event: string; readonly data: string };

/** A carriage return at the end of a chunk may be half of a line end: it waits for what follows. */
const lineEnd = /\r\n|\n|\r(?=[^\n])/;

/**
 * Reads a `text/event-stream` (HTML Standard, "Server-sent events"). Comments and the fields `id` and `retry` are
 * skipped. The lines of one event are bounded by `maxEventBytes` together; longer ones throw a `RangeError`.
 */
export async function* readEventStream(
  body: AsyncIterable<Uint8Array>,
  maxEventBytes: number,
): AsyncGenerator<StreamEvent, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  let event = "";
  let data: string[] = [];
  let size = 0;
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    // A long line is only appended to, not searched again with every chunk.
    const lines = /[\r\n]/.test(rest.at(-1) + text) ? (rest + text).split(lineEnd) : [rest + text];
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (event !== "" || data.length > 0) yield { event: event || "message", data: data.join("\n") };
        [event, data, size] = ["", [], 0];
        continue;
      }
      const [field, value] = splitField(line);
      if (field === "event") event = value;
      else if (field === "data") data.push(value);
      // All of the line: a million lines without a value are a long event as well. A comment belongs to none.
      if (field !== "") size += line.length + 1;
      requireBelow(size, maxEventBytes);
    }
    requireBelow(size + rest.length, maxEventBytes);
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}

function requireBelow(size: number, limit: number): void {
  if (size > limit) throw new RangeError(`an event is longer than ${limit} bytes`);
}
