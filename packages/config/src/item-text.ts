/** One `name=value` of an item given by a flag; `quoted` values are never JSON lists. */
export type Pair = { readonly path: string; readonly text: string; readonly quoted: boolean };

/** The pairs, or what is wrong with the text, and the piece that is (which may hold a secret). */
export type PairReading =
  | { readonly pairs: readonly Pair[] }
  | { readonly problem: string; readonly piece: string };

/**
 * Reads `name=products,protocol=graphql,url="http://h/a,b"`.
 *
 * ```
 * item  = pair *("," pair)
 * pair  = path "=" value        ; path: names joined by dots, for nested objects
 * value = quoted / json / bare
 * quoted                        ; a JSON string; line breaks and control characters may stand in it as they are
 * json                          ; only where `takesJson(path)`: balanced [...] or {...}
 * bare  = *(any but ",")        ; spaces around it are dropped
 * ```
 */
export function readPairs(text: string, takesJson: (path: string) => boolean): PairReading {
  const pairs: Pair[] = [];
  let rest = text;
  while (true) {
    const equals = rest.indexOf("=");
    const comma = rest.indexOf(",");
    if (equals === -1 || (comma !== -1 && comma < equals)) {
      return { problem: "is not NAME=VALUE", piece: comma === -1 ? rest : rest.slice(0, comma) };
    }
    const path = rest.slice(0, equals).trim();
    const value = readValue(rest.slice(equals + 1).trimStart(), takesJson(path));
    if ("problem" in value) return value;
    pairs.push({ path, text: value.text, quoted: value.quoted });
    rest = value.rest.trimStart();
    if (rest === "") return { pairs };
    if (!rest.startsWith(",")) return { problem: "follows a value without a comma between", piece: rest };
    rest = rest.slice(1);
  }
}

type ValueReading =
  | { readonly text: string; readonly quoted: boolean; readonly rest: string }
  | { readonly problem: string; readonly piece: string };

function readValue(input: string, takesJson: boolean): ValueReading {
  if (input.startsWith('"')) return readQuoted(input);
  if (takesJson && /^[[{]/.test(input)) {
    const end = balancedEnd(input);
    if (end === undefined) return { problem: "has a bracket that is not closed", piece: input };
    return { text: input.slice(0, end), quoted: false, rest: input.slice(end) };
  }
  const comma = input.indexOf(",");
  const end = comma === -1 ? input.length : comma;
  return { text: input.slice(0, end).trimEnd(), quoted: false, rest: input.slice(end) };
}

function readQuoted(input: string): ValueReading {
  const end = stringEnd(input, 0);
  if (end === undefined) return { problem: "has a quote that is not closed", piece: input };
  const literal = input.slice(0, end).replace(/\\.|\p{Cc}/gsu, (part) => {
    return part.startsWith("\\") ? part : `\\u${part.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  try {
    const text: unknown = JSON.parse(literal);
    if (typeof text === "string") return { text, quoted: true, rest: input.slice(end) };
  } catch {
    // Only an escape can be wrong by now.
  }
  return { problem: 'has a backslash that is not followed by one of "\\/bfnrtu', piece: input.slice(0, end) };
}

/** The offset after the string that begins at `start`; undefined when it does not end. */
function stringEnd(input: string, start: number): number | undefined {
  for (let index = start + 1; index < input.length; index++) {
    if (input[index] === "\\") index++;
    else if (input[index] === '"') return index + 1;
  }
  return undefined;
}

function balancedEnd(input: string): number | undefined {
  let depth = 0;
  for (let index = 0; index < input.length; index++) {
    const character = input[index];
    if (character === '"') {
      const end = stringEnd(input, index);
      if (end === undefined) return undefined;
      index = end - 1;
    } else if (character === "[" || character === "{") depth++;
    else if ((character === "]" || character === "}") && --depth === 0) return index + 1;
  }
  return undefined;
}

/** Writes pairs so that {@link readPairs} reads them back. */
export function writePairs(pairs: readonly Pair[]): string {
  return pairs.map(({ path, text, quoted }) => `${path}=${quoted ? quoteIfNeeded(text) : text}`).join(",");
}

function quoteIfNeeded(text: string): string {
  return /^[^\s,="'\\[\]{}\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}
