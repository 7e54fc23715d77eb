/** Whether a name is what a pattern says. */
export type NameTest = (name: string) => boolean;

/**
 * Compiles a pattern in which `*` stands for any characters, none included; null when it takes every name. Takes time
 * in proportion to the name, whatever the pattern.
 */
export function compileGlob(pattern: string): NameTest | null {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (name) => name === first;
  const middle = rest.filter((part) => part !== "");
  if (middle.length > 0) return (name) => hasParts(name, first, middle, last);
  if (first === "" && last === "") return null;
  const least = first.length + last.length;
  return (name) => name.length >= least && name.startsWith(first) && name.endsWith(last);
}

/** Each part at its first place behind the one before: where that fails, no other choice does better. */
function hasParts(name: string, first: string, middle: readonly string[], last: string): boolean {
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of middle) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
