import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { makeFault, printable, type Report, type Source } from "./fault.ts";
import type { Raw } from "./raw.ts";

/** The deepest nesting that is read. */
export const MAX_JSON_DEPTH = 64;

/** A JSON text and how to name its places: `key` is what the faults are about. */
export type JsonText = {
  readonly text: string;
  readonly key: string;
  /** The place of the character at this offset. */
  readonly at: (offset: number) => Source;
};

/** `complete` is false when the text was too broken for its values to be judged. */
export type JsonReading = { readonly raw: Raw | undefined; readonly complete: boolean };

/**
 * Reads strict JSON, reporting what is not: comments, trailing commas, names given twice, the name `__proto__`,
 * nesting deeper than {@link MAX_JSON_DEPTH}. Comments and trailing commas do not keep the values from being read.
 */
export function readJson(json: JsonText, report: Report): JsonReading {
  const deep = tooDeepAt(json.text);
  if (deep !== undefined) {
    report(makeFault(json.key, json.at(deep), `is nested deeper than ${MAX_JSON_DEPTH} levels`));
    return { raw: undefined, complete: false };
  }
  const strict: ParseError[] = [];
  const tree = parseTree(json.text, strict, { disallowComments: true, allowTrailingComma: false });
  if (strict.length === 0 && tree !== undefined) return { raw: rawJson(tree, json, report), complete: true };
  const lenient: ParseError[] = [];
  const tolerated = parseTree(json.text, lenient, { disallowComments: false, allowTrailingComma: true });
  const benign = lenient.length === 0 && tolerated !== undefined;
  for (const error of benign ? onePerPlace(strict) : strict.slice(0, 1)) {
    report(makeFault(json.key, json.at(error.offset), ...syntaxWords(error, benign)));
  }
  return benign
    ? { raw: rawJson(tolerated, json, report), complete: true }
    : { raw: undefined, complete: false };
}

/** Where the nesting passes the limit. Looked for first: the parser is recursive, the text may be hostile. */
function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === "\\") index++;
      else if (character === '"' || character === "\n") inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") {
      if (++depth > MAX_JSON_DEPTH) return index;
    } else if (character === "}" || character === "]") depth--;
  }
  return undefined;
}

function onePerPlace(errors: readonly ParseError[]): ParseError[] {
  return errors.filter(
    (error, index) => errors.findIndex((other) => other.offset === error.offset) === index,
  );
}

function syntaxWords(error: ParseError, benign: boolean): [problem: string, more: { hint?: string }] {
  const code = printParseErrorCode(error.error);
  if (code === "InvalidCommentToken")
    return ["has a comment, which JSON does not know", { hint: "remove it" }];
  if (benign) return ["has a comma after the last entry, which JSON does not know", { hint: "remove it" }];
  const expected = SYNTAX[code];
  return [`is not JSON: ${expected ?? "this is not understood"}`, {}];
}

const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol: "names and texts stand in double quotes, and only true, false and null stand without",
  InvalidNumberFormat: "this is not a number",
  PropertyNameExpected: "a name in double quotes is expected here",
  ValueExpected: "a value is expected here",
  ColonExpected: "a colon is expected here",
  CommaExpected: "a comma is expected here",
  CloseBraceExpected: "a closing } is missing",
  CloseBracketExpected: "a closing ] is missing",
  EndOfFileExpected: "nothing may follow the value",
  UnexpectedEndOfComment: "this comment does not end",
  UnexpectedEndOfString: "this text has no closing quote on its line",
  UnexpectedEndOfNumber: "this number ends too early",
  InvalidUnicode: "four hexadecimal digits follow \\u",
  InvalidEscapeCharacter: 'a backslash is followed by one of "\\/bfnrtu',
  InvalidCharacter: "a control character in a text is written as an escape, for example \\t",
};

function rawJson(node: Node, json: JsonText, report: Report): Raw {
  const source = json.at(node.offset);
  switch (node.type) {
    case "object":
      return { kind: "object", source, fields: rawFields(node, json, report) };
    case "array":
      return {
        kind: "list",
        source,
        items: (node.children ?? []).map((item) => rawJson(item, json, report)),
      };
    default: {
      const value: string | number | boolean | null = node.value;
      return { kind: "scalar", source, value: value === 0 ? 0 : value };
    }
  }
}

function rawFields(object: Node, json: JsonText, report: Report): Map<string, Raw> {
  const fields = new Map<string, Raw>();
  for (const property of object.children ?? []) {
    const [name, value] = property.children ?? [];
    if (name === undefined || value === undefined) continue;
    const nameSource = json.at(name.offset);
    const text: string = name.value;
    if (text === "__proto__") {
      report(makeFault(json.key, nameSource, 'has the name "__proto__", which no option has'));
    } else if (fields.has(text)) {
      report(makeFault(json.key, nameSource, `has the name "${printable(text)}" twice in one object`));
    } else {
      fields.set(text, { ...rawJson(value, json, report), nameSource });
    }
  }
  return fields;
}
