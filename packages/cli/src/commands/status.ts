import {
  authContract,
  type CheckResult,
  contentContract,
  gatewayContract,
  orchestratorContract,
  RpcError,
  supervisorContract,
} from "@catalyst/rpc";
import type { CommandContext } from "../context.ts";
import { printDecision } from "../decision-view.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { secondsToMs } from "../seconds.ts";
import { readStatus } from "../status-reader.ts";
import { renderStatus } from "../status-view.ts";
import { wrap } from "../table.ts";

/**
 * `catalyst status`: exit code 0 when the node works, with faults or without (`catalyst check` tells them apart), 5 when
 * it is not there or not ready yet.
 */
export async function showStatus({ printer, format, connect }: CommandContext): Promise<void> {
  const answers = await readStatus(connect);
  const { node, mesh } = answers;
  if (answers.node === null && mesh === null) throw answers.failure;
  const view = { colours: printer.colours, now: Date.now(), width: printer.width() };
  printValue(printer, format, { node, mesh }, () => renderStatus(answers, view));
  if (node?.state === "starting") throw new CommandError(exitCode.temporary, "The node is not ready yet.");
}

export type CheckOptions = { only?: string[]; skip?: string[]; wait?: string };

/** `catalyst check`: every named check; exit code 1 when one failed. */
export async function runChecks(context: CommandContext, options: CheckOptions): Promise<void> {
  const deadline = Date.now() + secondsToMs("--wait", options.wait ?? "0", 3_600);
  let { results, unknown } = await collectChecks(context, options);
  while ((results.some(({ outcome }) => outcome === "failed") || unknown !== null) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    ({ results, unknown } = await collectChecks(context, options));
  }
  if (unknown !== null) throw new CommandError(exitCode.usage, unknown);
  printRows(context.printer, context.format, results, () => renderChecks(results, context.printer));
  const failed = results.filter(({ outcome }) => outcome === "failed").length;
  if (failed > 0) throw new CommandError(exitCode.failed, `${failed} of ${results.length} checks failed.`);
}

const marks = {
  ok: { word: "ok      ", colour: "green" },
  warning: { word: "warning ", colour: "yellow" },
  failed: { word: "failed  ", colour: "red" },
} as const;

/** One line for each check, and below those that did not pass why, and what to do. */
function renderChecks(results: readonly CheckResult[], { colours, width }: Printer): string[] {
  const indent = " ".repeat(11);
  return results.flatMap(({ outcome, code, title, detail, hint }) => {
    const { word, colour } = marks[outcome];
    const line = `${colours[colour](word)} ${code.padEnd(22)} ${title}`;
    if (outcome === "ok") return wrap(line, width(), indent);
    const below = [detail, `hint: ${hint ?? "see the logs"}`].flatMap((text) => text.split("\n"));
    return [line, ...below.map((text) => indent + text)].flatMap((each) => wrap(each, width(), indent));
  });
}

type Collected = { results: CheckResult[]; unknown: string | null };

/** The checks that were asked for; `unknown` says that none of those that answered has such a code. */
async function collectChecks(context: CommandContext, options: CheckOptions): Promise<Collected> {
  const results: CheckResult[] = [];
  for (const [name, contract] of [
    ["supervisor", supervisorContract],
    ["auth", authContract],
    ["orchestrator", orchestratorContract],
    ["gateway", gatewayContract],
    ["content", contentContract],
  ] as const) {
    try {
      using connection = await context.connect(name, contract);
      results.push(...(await connection.call.check(undefined)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      results.push({
        code: `${name}.answers`,
        title: `the ${name} answers`,
        outcome: "failed",
        detail: error.message,
        hint: `see \`catalyst status\` and \`catalyst logs ${name}\``,
      });
    }
  }
  const { only, skip = [] } = options;
  const selected = results.filter(
    ({ code }) => (only === undefined || only.includes(code)) && !skip.includes(code),
  );
  if (selected.length > 0) return { results: selected, unknown: null };
  const codes = results.map(({ code }) => code).join(", ");
  return { results: selected, unknown: `No check has that code; there are ${codes}.` };
}

/** `catalyst explain SUBJECT NAME`: how something came to be as it is. */
export async function explain(context: CommandContext, subject: string, name: string): Promise<void> {
  const answerers = {
    service: ["orchestrator", orchestratorContract],
    process: ["supervisor", supervisorContract],
    object: ["content", contentContract],
    apikey: ["auth", authContract],
    field: ["gateway", gatewayContract],
  } as const;
  const answerer = answerers[subject as keyof typeof answerers];
  if (answerer === undefined) {
    throw new CommandError(
      exitCode.usage,
      `explain knows ${Object.keys(answerers).join(", ")}, not "${subject}"`,
    );
  }
  const [process, contract] = answerer;
  using connection = await context.connect(process, contract);
  printDecision(context, await connection.call.explain({ subject, name }));
}
