/** Above this many names in an error message, halving finds the culprit in fewer round trips than trying each. */
const maxSingles = 16;
const maxMessage = 65_536;
const nameCharacter = /[\w.\-/:~]/;

/**
 * Splits a rejected response into the groups to try next, so that the good part of it is applied. Clients do not say
 * in a structured way which resource failed. The text of the error is only a hint at the order: nothing is blamed
 * before it was rejected alone. Groups are tried first to last; each has fewer names than were
 * rejected, so that the search ends.
 */
export function splitRejected(names: readonly string[], message: string): string[][] {
  const text = message.slice(0, maxMessage);
  const hinted = names.filter((name) => mentions(text, name));
  if (hinted.length === 0 || (hinted.length === names.length && names.length > maxSingles))
    return divide(names);
  const blamed = new Set(hinted);
  const rest = names.filter((name) => !blamed.has(name));
  const suspects = hinted.length <= maxSingles ? hinted.map((name) => [name]) : divide(hinted);
  return rest.length > 0 ? [rest, ...suspects] : suspects;
}

function divide(names: readonly string[]): string[][] {
  if (names.length <= 1) return [[...names]];
  const middle = Math.ceil(names.length / 2);
  return [names.slice(0, middle), names.slice(middle)];
}

/** Whether a text holds a name as a word of its own, not as a part of a longer name. */
function mentions(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const before = text[at - 1];
    const after = text[at + name.length];
    if (before !== undefined && nameCharacter.test(before)) continue;
    if (after === undefined || !nameCharacter.test(after) || endsSentence(text, at + name.length))
      return true;
  }
  return false;
}

/** A colon or a full stop after a name belongs to the sentence when a space or the end follows. */
function endsSentence(text: string, at: number): boolean {
  const next = text[at + 1];
  return (text[at] === ":" || text[at] === ".") && (next === undefined || next === " ");
}
