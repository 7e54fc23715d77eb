import { readFileSync } from "node:fs";
import { gatewayContract, type ServiceSchemaReport } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { type Command, Option } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { printDecision } from "../decision-view.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { printRows, printValue } from "../output.ts";
import { renderFaults, renderPlan } from "../plan-view.ts";
import type { Printer } from "../printer.ts";
import { renderDiff, renderHistory, shortDigest } from "../schema-diff-view.ts";
import { colourGraphql } from "../sdl-view.ts";

type SchemaOptions = { service?: string; supergraph?: boolean; where?: string };
type PlanOptions = { file?: string; operation?: string; variables?: string };
type DiffOptions = { from?: string; to?: string; with?: string; failOn?: "breaking" | "dangerous" | "any" };

/** `catalyst gateway schema|plan|diff|history`: what is served, why, and what changed. */
export function addGateway(gateway: Command, printer: Printer): void {
  // What stands behind a command of its own is that command's, not the gateway's.
  gateway.enablePositionalOptions().allowExcessArguments();
  asking(
    gateway
      .command("schema")
      .description("print the schema that clients see")
      .addOption(
        new Option("--service <name>", "what this service gave, and what is made of it").conflicts([
          "supergraph",
          "where",
        ]),
      )
      .addOption(
        new Option("--supergraph", "with which service serves what, as the engine reads it").conflicts(
          "where",
        ),
      )
      .option("--where <field>", "say which services serve Type.field, or Type, and why"),
    printer,
    showSchema,
  );
  asking(
    gateway
      .command("plan")
      .description("say how an operation would be done: whom it asks, for what, in which order")
      .argument("[query]", "the operation; - for standard input")
      .option("--file <file>", "a file with the operation")
      .option("--operation <name>", "which operation of several")
      .option("--variables <json>", "its variables: they are checked, and decide @skip and @include"),
    printer,
    (context, options: PlanOptions, query) => showPlan(context, options, query),
  );
  asking(
    gateway
      .command("diff")
      .description("say what changed between two schemas, and what it means for clients")
      .option("--from <generation>", "the earlier one (default: the one before)")
      .addOption(
        new Option("--to <generation>", "the later one (default: the one in force)").conflicts("with"),
      )
      .option("--with <file>", "a schema to compare with, in place of a later generation")
      .addOption(
        new Option("--fail-on <impact>", "exit with 1 when there is such a change, or a graver one").choices([
          "breaking",
          "dangerous",
          "any",
        ]),
      ),
    printer,
    showDiff,
  );
  asking(
    gateway.command("history").description("list the schemas that are kept to compare with"),
    printer,
    showHistory,
  );
}

export async function showSchema(context: CommandContext, options: SchemaOptions): Promise<void> {
  const { printer, format } = context;
  using gateway = await context.connect("gateway", gatewayContract);
  if (options.where !== undefined) {
    printDecision(context, await gateway.call.explain({ subject: "field", name: options.where }));
    return;
  }
  if (options.service !== undefined) {
    const report = await gateway.call.serviceSchema({ service: options.service });
    printValue(printer, format, report, () => serviceLines(report, printer));
    if (report.given === null)
      throw new CommandError(exitCode.failed, `${options.service} gave no schema yet.`);
    return;
  }
  const { generation, sdl, supergraphSdl } = await gateway.call.schema(undefined);
  const shown = options.supergraph === true ? supergraphSdl : sdl;
  printValue(printer, format, { generation, sdl: shown }, () =>
    colourGraphql(shown ?? "# Nothing is served.", printer.colours),
  );
  if (shown !== null) return;
  const { services } = await gateway.call.report(undefined);
  const reasons = services.map(({ name, reason }) => `${name} ${reason ?? "is not served"}`);
  const why = reasons.length === 0 ? "the node has no GraphQL service" : reasons.join("; ");
  throw new CommandError(exitCode.failed, `Nothing is served: ${why}.`);
}

/** What is known of a service as comments, so that the whole is still a schema. */
function serviceLines({ service, given }: ServiceSchemaReport, { colours }: Printer): string[] {
  const { name, state, since, reason, schemaDigest } = service;
  const facts = [`${name} is ${state} since ${since}`, ...(reason === null ? [] : [visible(reason)])];
  if (given !== null) {
    const kind = given.kind === "federation" ? "a federation subgraph" : "a plain GraphQL service";
    facts.push(`${kind}, schema ${shortDigest(given.schemaDigest)} since ${given.since}`);
  }
  if (schemaDigest !== null && schemaDigest !== given?.schemaDigest)
    facts.push(`served with its schema ${shortDigest(schemaDigest)}`);
  const head = facts.map((fact) => colours.dim(`# ${fact}`));
  return given === null ? head : [...head, "", ...colourGraphql(given.sdl, colours)];
}

export async function showPlan(
  context: CommandContext,
  options: PlanOptions,
  query: string | undefined,
): Promise<void> {
  const document = documentOf(options, query);
  const variables = options.variables === undefined ? undefined : readVariables(options.variables);
  using gateway = await context.connect("gateway", gatewayContract);
  const answer = await gateway.call.plan({
    document,
    ...(options.operation === undefined ? {} : { operationName: options.operation }),
    ...(variables === undefined ? {} : { variables }),
  });
  const { printer, format } = context;
  const screen = { colours: printer.colours, width: printer.width() };
  const { errors } = answer;
  printValue(printer, format, answer, () =>
    errors.length > 0 ? renderFaults(document, errors, screen) : renderPlan(answer, screen),
  );
  if (answer.plan?.conditions.length !== 0 && variables === undefined && errors.length === 0)
    printer.talk("The variables of @skip and @include are taken as shown: --variables says otherwise.");
  if (errors.length === 0) return;
  throw new CommandError(
    exitCode.failed,
    `The operation would be refused: ${errors.length} ${errors.length === 1 ? "fault" : "faults"}.`,
  );
}

function documentOf({ file }: PlanOptions, query: string | undefined): string {
  if ((file === undefined) === (query === undefined)) {
    throw new CommandError(exitCode.usage, "Give the operation, or a file with --file.");
  }
  return query !== undefined && query !== "-" ? query : readText(file ?? "-");
}

function readVariables(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandError(
      exitCode.usage,
      `--variables is no JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new CommandError(exitCode.usage, '--variables is no JSON object, such as {"id": "1"}');
}

export async function showDiff(context: CommandContext, options: DiffOptions): Promise<void> {
  const from = generationOf("--from", options.from);
  const to = generationOf("--to", options.to);
  const given = options.with === undefined ? undefined : readText(options.with);
  using gateway = await context.connect("gateway", gatewayContract);
  const diff = await gateway.call.diff({
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(given === undefined ? {} : { with: given }),
  });
  const { printer, format } = context;
  printValue(printer, format, diff, () =>
    renderDiff(diff, { colours: printer.colours, width: printer.width() }),
  );
  const { breaking, dangerous, safe } = diff.counts;
  const grave = { breaking, dangerous: breaking + dangerous, any: breaking + dangerous + safe };
  const found = options.failOn === undefined ? 0 : grave[options.failOn];
  if (found > 0)
    throw new CommandError(
      exitCode.failed,
      `${found} ${found === 1 ? "change" : "changes"} of what --fail-on ${options.failOn} names.`,
    );
}

function generationOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new CommandError(
    exitCode.usage,
    `${flag} ${text} is no generation: \`catalyst gateway history\` lists them.`,
  );
}

export async function showHistory(context: CommandContext): Promise<void> {
  using gateway = await context.connect("gateway", gatewayContract);
  const records = await gateway.call.history(undefined);
  const { printer } = context;
  printRows(printer, context.format, records, () =>
    records.length === 0
      ? ["No schema was in force yet."]
      : renderHistory(records, { colours: printer.colours, width: printer.width() }),
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new CommandError(
      exitCode.usage,
      `${path} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  }
}
