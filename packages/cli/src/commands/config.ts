import { jsonSchema, renderSource, showConfig } from "@catalyst/config";
import { nodeConfig } from "@catalyst/node";
import type { Loaded } from "../load.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";

/** `catalyst config show [--sources]`: what is in force; with `--sources`, where each value came from. */
export function showConfiguration(
  printer: Printer,
  { loaded }: Loaded,
  options: { sources?: boolean },
): void {
  const shown = showConfig(loaded, { sources: options.sources === true });
  if (shown.sources === undefined) {
    printer.data(JSON.stringify(shown.value, null, 2));
    return;
  }
  const rows = shown.sources.map(({ key, value, source }) => [
    key,
    JSON.stringify(value),
    renderSource(source),
  ]);
  for (const line of renderTable(["KEY", "VALUE", "SOURCE"], rows)) printer.data(line);
}

/** `catalyst config validate`: loading it has already found every fault. */
export function validateConfiguration(printer: Printer, { config }: Loaded): void {
  printer.data(`The configuration of ${config.node.name}.${config.node.domain} is valid.`);
}

/** `catalyst config schema`: the JSON Schema of the configuration file. */
export function printSchema(printer: Printer): void {
  printer.data(JSON.stringify(jsonSchema(nodeConfig), null, 2));
}
