import { readFileSync } from "node:fs";
import {
  authContract,
  type CheckResult,
  contentContract,
  type Decision,
  gatewayContract,
  orchestratorContract,
  RpcError,
  supervisorContract,
} from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { z } from "zod";
import { idOfKey, looksLikeKey } from "../api-key.ts";
import type { CommandContext } from "../context.ts";
import { printDecision } from "../decision-view.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { unknownWord } from "../given.ts";
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
  const codeWidth = Math.max(22, ...results.map(({ code }) => code.length));
  return results.flatMap(({ outcome, code, title, detail, hint }) => {
    const { word, colour } = marks[outcome];
    const line = `${colours[colour](word)} ${code.padEnd(codeWidth)} ${title}`;
    if (outcome === "ok") return wrap(line, width(), indent);
    const below = [detail, `hint: ${hint ?? "see the logs"}`].flatMap((text) => text.split("\n"));
    return [line, ...below.map((text) => indent + visible(text))].flatMap((each) =>
      wrap(each, width(), indent),
    );
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

const answerers = {
  service: ["orchestrator", orchestratorContract],
  route: ["orchestrator", orchestratorContract],
  process: ["supervisor", supervisorContract],
  object: ["content", contentContract],
  apikey: ["auth", authContract],
  field: ["gateway", gatewayContract],
} as const;

export type ExplainOptions = { service?: string };

/** `catalyst explain SUBJECT NAME`: how something came to be as it is. */
export async function explain(
  context: CommandContext,
  subject: string,
  name: string,
  options: ExplainOptions = {},
): Promise<void> {
  if (!Object.hasOwn(answerers, subject)) throw unknownWord("subject", subject, Object.keys(answerers));
  const { service } = options;
  if (subject === "apikey") return explainApiKey(context, name, service);
  if (service !== undefined)
    throw new CommandError(exitCode.usage, "--service is for `explain apikey` alone: leave it out");
  const [process, contract] = answerers[subject as keyof typeof answerers];
  using connection = await context.connect(process, contract);
  printDecision(context, await connection.call.explain({ subject, name }));
}

/** Of a key, or of what is given in its place: what it is good for, or why it is good for nothing. */
async function explainApiKey(context: CommandContext, given: string, service?: string): Promise<void> {
  const name = given === "-" ? readFileSync(0, "utf8").replace(/\r?\n$/, "") : given;
  using auth = await context.connect("auth", authContract);
  const isKey = looksLikeKey(name);
  const id = isKey ? await idOfKey(name, auth.call) : name;
  const decision = await auth.call.explain({ subject: "apikey", name: id }).catch((error: unknown) => {
    if (!(error instanceof RpcError) || error.code !== "api_key_unknown") throw error;
    const words = isKey
      ? "this node has made this key, and no longer knows it: it expired more than a month ago"
      : `${error.message}: \`catalyst apikey list\` shows those there are`;
    throw new RpcError(error.code, words, { cause: error });
  });
  printDecision(context, service === undefined ? decision : withService(decision, service));
}

/** Adds whether a key is good for one service to what is said of the key. */
function withService(decision: Decision, service: string): Decision {
  const { services } = keyInputs.parse(decision.inputs);
  const covered = services.includes("*") || services.includes(service);
  return {
    ...decision,
    steps: [...decision.steps, { rule: `it covers ${service}`, outcome: covered ? "yes" : "no" }],
    result: covered || decision.result !== "good" ? decision.result : `good, and does not cover ${service}`,
  };
}

const keyInputs = z.object({ services: z.array(z.string()) });
