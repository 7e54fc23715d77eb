import type { ByteRange } from "../server/range.ts";

/** Parts of a file that ascend and do not touch. */
export type RangeSet = readonly ByteRange[];

/** The set with a range more. */
export function addRange(set: RangeSet, range: ByteRange): RangeSet {
  let { from, to } = range;
  if (from >= to) return set;
  const before: ByteRange[] = [];
  const after: ByteRange[] = [];
  for (const each of set) {
    if (each.to < from) before.push(each);
    else if (each.from > to) after.push(each);
    else {
      from = Math.min(from, each.from);
      to = Math.max(to, each.to);
    }
  }
  return [...before, { from, to }, ...after];
}

/** What of a range is not in the set. */
export function missingIn(set: RangeSet, range: ByteRange): RangeSet {
  const missing: ByteRange[] = [];
  let { from } = range;
  for (const each of set) {
    if (each.to <= from) continue;
    if (each.from >= range.to) break;
    if (each.from > from) missing.push({ from, to: each.from });
    from = each.to;
  }
  return from < range.to ? [...missing, { from, to: range.to }] : missing;
}

/** How many bytes are in the set. */
export function bytesIn(set: RangeSet): number {
  return set.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Where the range that holds a position ends; the position itself where none does. */
export function endFrom(set: RangeSet, position: number): number {
  return set.find(({ from, to }) => from <= position && position < to)?.to ?? position;
}
