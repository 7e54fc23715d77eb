import {
  type CheckResult,
  gatewayContract,
  orchestratorContract,
  RpcError,
  supervisorContract,
} from "@catalyst/rpc";
import type { CommandContext } from "../context.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { printRows, printValue } from "../output.ts";
import { renderStatus } from "../status-view.ts";

/** `catalyst status`: exit code 0 when the node is ready, 1 when it works with faults, 5 when it is not there. */
export async function showStatus(context: CommandContext): Promise<void> {
  const { node, mesh } = await readStatus(context);
  printValue(context.printer, context.format, { node, mesh }, () =>
    renderStatus(node, mesh, context.printer.colours),
  );
  if (node.state === "starting") throw new CommandError(exitCode.temporary, "The node is not ready yet.");
}

/** The status of the supervisor, and of the orchestrator unless it is away. */
export async function readStatus(context: CommandContext) {
  using supervisor = await context.connect("supervisor", supervisorContract);
  const node = await supervisor.call.status(undefined);
  try {
    using orchestrator = await context.connect("orchestrator", orchestratorContract);
    return { node, mesh: await orchestrator.call.status(undefined) };
  } catch (error) {
    if (error instanceof RpcError) return { node, mesh: null };
    throw error;
  }
}

export type CheckOptions = { only?: string[]; skip?: string[]; wait?: string };

/** `catalyst check`: every named check; exit code 1 when one failed. */
export async function runChecks(context: CommandContext, options: CheckOptions): Promise<void> {
  const deadline = Date.now() + Number(options.wait ?? 0) * 1_000;
  let results = await collectChecks(context, options);
  while (results.some(({ outcome }) => outcome === "failed") && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    results = await collectChecks(context, options);
  }
  const { colours } = context.printer;
  const marks = {
    ok: colours.green("ok      "),
    warning: colours.yellow("warning "),
    failed: colours.red("failed  "),
  };
  printRows(context.printer, context.format, results, () =>
    results.flatMap(({ outcome, code, title, detail, hint }) => [
      `${marks[outcome]} ${code.padEnd(22)} ${title}`,
      ...(outcome === "ok" ? [] : [`           ${detail}`, `           hint: ${hint ?? "see the logs"}`]),
    ]),
  );
  const failed = results.filter(({ outcome }) => outcome === "failed").length;
  if (failed > 0) throw new CommandError(exitCode.failed, `${failed} of ${results.length} checks failed.`);
}

async function collectChecks(context: CommandContext, options: CheckOptions): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [name, contract] of [
    ["supervisor", supervisorContract],
    ["orchestrator", orchestratorContract],
    ["gateway", gatewayContract],
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
  if (selected.length > 0) return selected;
  throw new CommandError(
    exitCode.usage,
    `No check has that code; there are ${results.map(({ code }) => code).join(", ")}.`,
  );
}

/** `catalyst explain SUBJECT NAME`: how something came to be as it is. */
export async function explain(context: CommandContext, subject: string, name: string): Promise<void> {
  const contracts = { service: "orchestrator", process: "supervisor" } as const;
  const answerer = contracts[subject as keyof typeof contracts];
  if (answerer === undefined) {
    throw new CommandError(
      exitCode.usage,
      `explain knows ${Object.keys(contracts).join(" and ")}, not "${subject}"`,
    );
  }
  const contract = answerer === "orchestrator" ? orchestratorContract : supervisorContract;
  using connection = await context.connect(answerer, contract);
  const decision = await connection.call.explain({ subject, name });
  printValue(context.printer, context.format, decision, () => [
    decision.question,
    ...decision.steps.map(({ rule, outcome }) => `  ${rule}: ${outcome}`),
    decision.result,
  ]);
}
