import type { SchemaChange, SchemaDiff, SchemaRecord } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Printer } from "./printer.ts";
import { renderTable, wrap } from "./table.ts";

type Screen = { readonly colours: Printer["colours"]; readonly width?: number | undefined };

const colourOf = { breaking: "red", dangerous: "yellow", safe: "green" } as const;

/** What changed: which services did, what that means for clients, and every change, the gravest first. */
export function renderDiff(diff: SchemaDiff, { colours, width }: Screen): string[] {
  const { from, to, services, counts, changes } = diff;
  const sides = `${from === null ? "nothing" : `generation ${from}`} to ${to === null ? "the file" : `generation ${to}`}`;
  const lines = [colours.bold(sides)];
  for (const { name, before, after } of services) {
    const what = before === null ? "added" : after === null ? "removed" : "changed";
    const digests = [before, after].flatMap((digest) => (digest === null ? [] : shortDigest(digest)));
    lines.push(`  service ${name} ${what}  ${colours.dim(digests.join(" to "))}`);
  }
  if (changes.length === 0) return [...lines, "Nothing that clients see changed."];
  const widest = Math.max(...changes.map(({ coordinate }) => coordinate.length));
  lines.push(
    "",
    ...changes.flatMap((change) =>
      wrap(changeLine(change, colours, Math.min(widest, 32)), width, "           "),
    ),
  );
  const listed = changes.length;
  const total = counts.breaking + counts.dangerous + counts.safe;
  if (total > listed) lines.push(`and ${total - listed} more`);
  return [...lines, "", countLine(diff, colours)];
}

function changeLine(
  { impact, coordinate, message, services }: SchemaChange,
  colours: Screen["colours"],
  column: number,
): string {
  const by = services.length === 0 ? "" : colours.dim(`  by ${services.join(", ")}`);
  const mark = colours[colourOf[impact]](impact.padEnd(9));
  return `${mark}  ${coordinate.padEnd(column)}  ${visible(message)}${by}`;
}

function countLine({ counts }: SchemaDiff, colours: Screen["colours"]): string {
  return (["breaking", "dangerous", "safe"] as const)
    .map((impact) => {
      const text = `${counts[impact]} ${impact}`;
      return counts[impact] === 0 ? colours.dim(text) : colours[colourOf[impact]](text);
    })
    .join(", ");
}

/** The schemas that are kept, the newest first, and what became of services with each. */
export function renderHistory(records: readonly SchemaRecord[], { width }: Screen): string[] {
  const rows = records.map((record, at) => [
    String(record.generation),
    record.since.replace(/\.\d+Z$/, "Z"),
    record.schemaDigest === null ? "-" : shortDigest(record.schemaDigest),
    String(record.services.length),
    servicesChanged(records[at + 1], record),
  ]);
  return renderTable(["GENERATION", "SINCE", "SCHEMA", "SERVICES", "CHANGED"], rows, width);
}

/** `+new -gone ~changed`; empty for the oldest, of which it is not known. */
function servicesChanged(before: SchemaRecord | undefined, after: SchemaRecord): string {
  if (before === undefined) return "";
  const was = new Map(before.services.map((service) => [service.name, service.schemaDigest]));
  const is = new Map(after.services.map((service) => [service.name, service.schemaDigest]));
  const marks = [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((name) => {
    if (!was.has(name)) return [`+${name}`];
    if (!is.has(name)) return [`-${name}`];
    return was.get(name) === is.get(name) ? [] : [`~${name}`];
  });
  return marks.join(" ");
}

/** As much of a digest as tells two apart. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}
