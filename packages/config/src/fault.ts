/** Where a value, or what is wrong with it, was written. Lines and columns count from 1, columns in UTF-16 units. */
export type Source =
  | FileSource
  | { readonly kind: "env"; readonly variable: string }
  | { readonly kind: "flag"; readonly flag: string }
  | { readonly kind: "default" };

/** A place in the configuration file; without line and column, the file as a whole. */
export type FileSource = {
  readonly kind: "file";
  readonly path: string;
  readonly line?: number;
  readonly column?: number;
};

/**
 * One thing that is wrong with a configuration.
 *
 * `key` is the option's dotted path, a list's item by its name (`mesh.services[products].url`) or, when it has
 * none, its position (`mesh.services[1].url`); empty for the file as a whole or something that is no option.
 * The source `default` says that no layer gives a value. No secret is ever part of a fault.
 */
export type Fault = {
  readonly key: string;
  readonly source: Source;
  /** What is wrong, in words that follow the key: `is not a URL: "htp:/x"`. */
  readonly problem: string;
  /** What is expected, or what to do. */
  readonly hint?: string;
  /** The known name that was probably meant. */
  readonly nearest?: string;
};

/** Takes a fault; reading goes on after it, so that all faults are found at once. */
export type Report = (fault: Fault) => void;

/** A fault with those of its optional parts that are given. */
export function makeFault(
  key: string,
  source: Source,
  problem: string,
  more: { hint?: string | undefined; nearest?: string | undefined } = {},
): Fault {
  return {
    key,
    source,
    problem,
    ...(more.hint === undefined ? {} : { hint: more.hint }),
    ...(more.nearest === undefined ? {} : { nearest: more.nearest }),
  };
}

/** A source in one word: `catalyst.json:14:9`, `CATALYST_NODE_NAME`, `--node-name` or `default`. */
export function renderSource(source: Source): string {
  switch (source.kind) {
    case "file": {
      const place = source.line === undefined ? "" : `:${source.line}:${source.column ?? 1}`;
      return printable(source.path) + place;
    }
    case "env":
      return printable(source.variable);
    case "flag":
      return printable(source.flag);
    case "default":
      return "default";
  }
}

/**
 * The faults as text for a terminal: the file's first and in its order, then the environment's, the flags', and
 * what is missing; per fault one line with key and place, one with what is wrong and what to do.
 */
export function renderFaults(faults: readonly Fault[]): string {
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  const sorted = faults.toSorted((a, b) => rank(a.source) - rank(b.source) || position(a) - position(b));
  return [`${count} in the configuration:`, ...sorted.map(renderFault)].join("\n\n");
}

function renderFault(fault: Fault): string {
  const place = fault.source.kind === "default" ? "not set" : renderSource(fault.source);
  const head = fault.key === "" ? place : `${printable(fault.key)}  (${place})`;
  const advice = [
    fault.nearest === undefined ? undefined : `did you mean ${printable(fault.nearest)}?`,
    fault.hint === undefined ? undefined : printable(fault.hint),
  ].filter((part) => part !== undefined);
  const tail = advice.length === 0 ? "" : `\n    ${advice.join(" ")}`;
  return `  ${head}\n    ${printable(fault.problem)}${tail}`;
}

function rank(source: Source): number {
  return ["file", "env", "flag", "default"].indexOf(source.kind);
}

function position(fault: Fault): number {
  const { source } = fault;
  return source.kind === "file" ? (source.line ?? 0) * 1e6 + (source.column ?? 0) : 0;
}

/** Control characters, and those that turn the direction of text, as escapes: the input may be an attacker's. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
