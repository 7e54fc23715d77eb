import type { Decision } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { CommandContext } from "./context.ts";
import { printValue } from "./output.ts";
import { wrap } from "./table.ts";

/** Prints an explanation: a question, the rules and their outcomes, and a result. */
export function printDecision({ printer, format }: CommandContext, decision: Decision): void {
  const width = printer.width();
  printValue(printer, format, decision, () =>
    [
      decision.question,
      ...decision.steps.map(({ rule, outcome }) => `  ${rule}: ${outcome}`),
      decision.result,
    ].flatMap((line) => wrap(visible(line), width, "    ")),
  );
}
