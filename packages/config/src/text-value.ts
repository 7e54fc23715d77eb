import { makeFault, type Report, type Source } from "./fault.ts";
import { readJson } from "./json-text.ts";
import type { Raw } from "./raw.ts";
import type { ValueKind } from "./value-kind.ts";

/** The text of a flag or variable, and what it is to become. */
export type TextValue = {
  readonly text: string;
  readonly kind: ValueKind;
  readonly key: string;
  readonly source: Source;
  /** Keeps the text out of faults. */
  readonly secret: boolean;
};

/** Reads a text strictly as its kind asks; what cannot be read is reported and comes back as refused. */
export function readText(value: TextValue, report: Report): Raw {
  const { text, source } = value;
  switch (value.kind) {
    case "string":
      return { kind: "scalar", source, value: text };
    case "number":
      if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text))
        return refuse(value, "is not a number", report);
      return { kind: "scalar", source, value: Number(text) || 0 };
    case "boolean":
      if (text !== "true" && text !== "false") return refuse(value, "is neither true nor false", report);
      return { kind: "scalar", source, value: text === "true" };
    case "json":
      return readJsonText(value, report);
  }
}

/** Reads a text that holds JSON. */
export function readJsonText(value: Omit<TextValue, "kind">, report: Report): Raw {
  const json = { text: value.text, key: value.key, at: () => value.source };
  const told: Report = value.secret
    ? ({ key, source }) => report(makeFault(key, source, "is not JSON"))
    : report;
  return readJson(json, told).raw ?? { kind: "refused", source: value.source };
}

function refuse(value: TextValue, problem: string, report: Report): Raw {
  const shown = value.secret ? "" : `: ${quote(value.text)}`;
  report(makeFault(value.key, value.source, problem + shown));
  return { kind: "refused", source: value.source };
}

/** A text in quotes for a message, shortened to its first 80 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80).toWellFormed()}…` : text);
}
