import { CborTag, type CborValue, cidFromBytes, visible, WireError } from "@catalyst/wire/portable";
import type { Decision } from "./decision.ts";

/**
 * A decision as people read it: a line for each part, and for each step what it came to and the inputs that it rests
 * on. Text that others chose is shown without control characters.
 *
 * @example
 * renderDecision(decision);
 * // question  resolve handle="holo://acme/app:stable"
 * // as of     2027-01-15T08:00:00Z
 * // …
 */
export function renderDecision(decision: Decision): string {
  const { kind, ...members } = decision.question;
  const asked = Object.entries(members).map(([name, value]) => `${visible(name)}=${renderValue(value)}`);
  const policy = decision.policy === undefined ? [] : [["policy", decision.policy]];
  const lines = [
    ["question", [visible(kind), ...asked].join(" ")],
    ["as of", renderTime(decision.asOf)],
    ...policy,
    ...decision.inputs.map((input, at) => [`input ${at + 1}`, input]),
    ...decision.steps.map(({ rule, outcome, inputs = [] }, at) => {
      const rests = inputs.length === 0 ? "" : ` (input ${inputs.map((input) => input + 1).join(", ")})`;
      return [`step ${at + 1}`, `${visible(rule)}: ${visible(outcome)}${rests}`];
    }),
    ["result", renderValue(decision.result)],
  ];
  const width = Math.max(...lines.map(([label = ""]) => label.length)) + 2;
  return lines.map(([label = "", text = ""]) => `${label.padEnd(width)}${text}`).join("\n");
}

function renderTime(seconds: number): string {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString().replace(".000Z", "Z");
}

/** A value in the manner of RFC 8949's diagnostic notation; a CID in its text form. */
function renderValue(value: CborValue): string {
  if (typeof value === "string") return visible(JSON.stringify(value));
  if (value instanceof Uint8Array) return renderBytes(value);
  if (value instanceof CborTag) return `${value.tag}(${renderValue(value.value)})`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => `${renderValue(key)}: ${renderValue(item)}`);
    return `{${entries.join(", ")}}`;
  }
  if (Array.isArray(value)) return `[${(value as CborValue[]).map(renderValue).join(", ")}]`;
  return String(value);
}

function renderBytes(bytes: Uint8Array): string {
  try {
    return cidFromBytes(bytes);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `h'${hex}'`;
  }
}
