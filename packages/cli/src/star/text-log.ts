import { Writable } from "node:stream";

/** Fields of a line that are said by its place in it. */
const shown = new Set(["level", "time", "process", "msg", "err"]);

/**
 * Takes the lines of a JSON log and writes them for people: `2026-01-31T12:00:00.000Z INFO  ReadStream request for: /a`,
 * with what else a line says behind it. Whatever is no such line is written as it is. Lines of one turn of the event loop are written at
 * once: a star that carries small files has thousands of them a second. What is not written yet when the process ends is written then.
 */
export function textLog(to: Writable): Writable {
  let waiting: string[] = [];
  const flush = () => {
    if (waiting.length === 0) return;
    const lines = waiting.join("").split("\n");
    waiting = [];
    to.write(
      lines
        .filter((line) => line !== "")
        .map((line) => `${textOf(line)}\n`)
        .join(""),
    );
  };
  process.once("exit", flush);
  return new Writable({
    decodeStrings: false,
    write: (chunk: Buffer | string, _encoding, done) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push(String(chunk));
      done();
    },
  });
}

function textOf(line: string): string {
  let event: Readonly<Record<string, unknown>>;
  try {
    event = JSON.parse(line);
  } catch {
    return line;
  }
  const { level, time, msg, err } = event;
  const more = Object.entries(event).filter(([name]) => !shown.has(name));
  const fields = more.map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const why = typeof err === "object" && err !== null && "message" in err ? [`(${String(err.message)})`] : [];
  const words = [String(time), String(level).toUpperCase().padEnd(5), String(msg), ...why, ...fields].join(
    " ",
  );
  // Paths come from callers: none of their characters moves a terminal's cursor.
  return words.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
