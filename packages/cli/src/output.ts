import type { Printer } from "./printer.ts";

export const outputFormats = ["table", "json", "jsonl"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Prints rows in the format that was asked for; JSON is a contract, tables are for people. */
export function printRows<Row>(
  printer: Printer,
  format: OutputFormat,
  rows: readonly Row[],
  table: () => readonly string[],
): void {
  if (format === "json") printer.data(JSON.stringify(rows, null, 2));
  else if (format === "jsonl") for (const row of rows) printer.data(JSON.stringify(row));
  else for (const line of table()) printer.data(line);
}

/** Prints one value in the format that was asked for. */
export function printValue(
  printer: Printer,
  format: OutputFormat,
  value: unknown,
  table: () => readonly string[],
): void {
  if (format === "json") printer.data(JSON.stringify(value, null, 2));
  else if (format === "jsonl") printer.data(JSON.stringify(value));
  else for (const line of table()) printer.data(line);
}
