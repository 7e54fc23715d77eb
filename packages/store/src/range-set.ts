import { type ByteRange, leafCount, type Tree } from "@catalyst/wire";

/** Leaves of an object, as ranges of indexes that ascend and do not touch. */
export type RangeSet = readonly ByteRange[];

/** The set with a range more. */
export function addRange(set: RangeSet, range: ByteRange): RangeSet {
  let { start, end } = range;
  const before: ByteRange[] = [];
  const after: ByteRange[] = [];
  for (const each of set) {
    if (each.end < start) before.push(each);
    else if (each.start > end) after.push(each);
    else {
      start = Math.min(start, each.start);
      end = Math.max(end, each.end);
    }
  }
  return [...before, { start, end }, ...after];
}

/** What of a range is not in the set. */
export function missingIn(set: RangeSet, range: ByteRange): RangeSet {
  const missing: ByteRange[] = [];
  let { start } = range;
  for (const each of set) {
    if (each.end <= start) continue;
    if (each.start >= range.end) break;
    if (each.start > start) missing.push({ start, end: each.start });
    start = each.end;
  }
  return start < range.end ? [...missing, { start, end: range.end }] : missing;
}

/** The bytes that leaves stand for. */
export function bytesOf(set: RangeSet, { size, leafSize }: Tree): readonly ByteRange[] {
  return set.map(({ start, end }) => ({ start: start * leafSize, end: Math.min(size, end * leafSize) }));
}

/** The leaves that a range of bytes touches. */
export function leavesOf({ start, end }: ByteRange, tree: Tree): ByteRange {
  const { leafSize } = tree;
  return { start: Math.floor(start / leafSize), end: Math.min(leafCount(tree), Math.ceil(end / leafSize)) };
}

/** As text, `0-5,7-9`, and back. */
export function formatRanges(set: RangeSet): string {
  return set.map(({ start, end }) => `${start}-${end}`).join(",");
}

export function parseRanges(text: string): RangeSet {
  if (text === "") return [];
  return text.split(",").map((part) => {
    const [start = 0, end = 0] = part.split("-").map(Number);
    return { start, end };
  });
}
