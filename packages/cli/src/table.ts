import { stripVTControlCharacters } from "node:util";

/**
 * Text in columns as wide as their widest cell, two spaces apart; colours do not count. With a width no line is
 * longer: the end is cut off, and what is cut loses its colours.
 */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => lengthOf(row[column] ?? ""))));
  return all.map((row) => {
    const cells = row.map((cell, column) =>
      column === row.length - 1 ? cell : pad(cell, widths[column] ?? 0),
    );
    return clip(cells.join("  ").trimEnd(), width);
  });
}

/** A line as far as `width` columns show it, its end replaced by `…`; one that is cut loses its colours. */
export function clip(line: string, width: number): string {
  if (lengthOf(line) <= width) return line;
  return `${stripVTControlCharacters(line).slice(0, Math.max(0, width - 1))}…`;
}

/** Text of at most `width` columns, its middle replaced by `…`: of a path both ends tell something. */
export function clipMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((Math.max(1, width) - 1) / 2);
  return `${text.slice(0, Math.max(0, width - 1 - end))}…${text.slice(text.length - end)}`;
}

/**
 * A line in pieces of at most `width` columns, broken between words, or inside one that is longer than a line; those
 * after the first begin with `indent`.
 */
export function wrap(line: string, width = Number.POSITIVE_INFINITY, indent = ""): string[] {
  if (lengthOf(line) <= width) return [line];
  const lines: string[] = [];
  const longest = Math.max(1, width - indent.length);
  const [first = "", ...words] = line.split(" ").flatMap((each) => piecesOf(each, longest));
  let current = first;
  for (const word of words) {
    const longer = `${current} ${word}`;
    if (lengthOf(longer) <= width || current.trim() === "") {
      current = longer;
      continue;
    }
    lines.push(current);
    current = indent + word;
  }
  return [...lines, current];
}

function piecesOf(word: string, longest: number): string[] {
  if (lengthOf(word) <= longest) return [word];
  const text = stripVTControlCharacters(word);
  return Array.from({ length: Math.ceil(text.length / longest) }, (_, index) =>
    text.slice(index * longest, (index + 1) * longest),
  );
}

function lengthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

function pad(cell: string, width: number): string {
  return cell + " ".repeat(Math.max(0, width - lengthOf(cell)));
}
