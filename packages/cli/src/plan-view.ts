import type { OperationPlan, PlanStepView } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Printer } from "./printer.ts";
import { colourGraphql } from "./sdl-view.ts";
import { clip, wrap } from "./table.ts";

type Colours = Printer["colours"];

export type PlanScreen = { readonly colours: Colours; readonly width?: number | undefined };

/** A title, what stands below it, and the steps inside. */
type Branch = {
  readonly title: string;
  readonly body: readonly string[];
  readonly inside: readonly Branch[];
};

/** The plan of an operation as a tree: whom it asks, for what, in which order. */
export function renderPlan(answer: OperationPlan, screen: PlanScreen): string[] {
  const { plan, cost, generation } = answer;
  if (plan === null) return [];
  const { colours, width } = screen;
  const facts = [
    `${plan.engine} engine`,
    `generation ${generation}`,
    ...(cost === null ? [] : [`cost ${cost}`]),
  ];
  const taken = plan.conditions.map(({ variable, holds }) => `$${variable} = ${holds}`);
  const lines = [colours.dim(facts.join(", "))];
  if (taken.length > 0) lines.push(...wrap(`for ${taken.join(", ")}`, width, "  "));
  if (plan.note !== null) lines.push(...wrap(visible(plan.note), width, "  "));
  if (plan.step !== null) lines.push(...branchLines(branchOf(plan.step, colours), colours, "", ""));
  return lines.map((line) => (width === undefined ? line : clip(line, width)));
}

function branchOf(step: PlanStepView, colours: Colours): Branch {
  if ("steps" in step) {
    const title = step.kind === "sequence" ? "one after the other" : "at the same time";
    return {
      title: colours.bold(title),
      body: [],
      inside: step.steps.map((each) => branchOf(each, colours)),
    };
  }
  const verb = step.kind === "subscription" ? "subscribe to" : "ask";
  const sent =
    step.variables.length === 0
      ? ""
      : colours.dim(` with ${step.variables.map((name) => `$${name}`).join(", ")}`);
  const body = colourGraphql(step.operation, colours);
  if (step.kind === "entities") body.unshift(...step.batches.flatMap((batch) => batchLines(batch, colours)));
  const joins = step.kind === "subscription" ? step.joins : null;
  return {
    title: `${verb} ${colours.bold(colours.green(step.service))}${sent}`,
    body,
    inside: joins === null ? [] : [{ title: "for each event", body: [], inside: [branchOf(joins, colours)] }],
  };
}

function batchLines(
  { keys, paths }: Extract<PlanStepView, { kind: "entities" }>["batches"][number],
  colours: Colours,
): string[] {
  const [first, ...more] = paths;
  const others = more.map((path) => `      and ${path}`);
  return [`once for all of ${first}`, ...others, `      by ${keys.join(", or ")}`].map((line) =>
    colours.dim(line),
  );
}

function branchLines(
  { title, body, inside }: Branch,
  colours: Colours,
  lead: string,
  below: string,
): string[] {
  const rail = inside.length > 0 ? "│  " : "   ";
  const lines = [`${lead}${title}`, ...body.map((line) => `${below}${rail}${line}`)];
  for (const [at, branch] of inside.entries()) {
    const last = at === inside.length - 1;
    lines.push(
      ...branchLines(branch, colours, `${below}${last ? "└─ " : "├─ "}`, `${below}${last ? "   " : "│  "}`),
    );
  }
  return lines;
}

/** What a document is refused for: each fault with its place, the line that it is in, and a caret below. */
export function renderFaults(
  document: string,
  errors: OperationPlan["errors"],
  { colours, width }: PlanScreen,
): string[] {
  const lines = document.split(/\r\n|\n|\r/).map((line) => visible(line.replaceAll("\t", " ")));
  return errors.flatMap(({ message, code, places }, number) => {
    const head = `${colours.red("fault")} ${visible(message)}${code === null ? "" : colours.dim(` (${code})`)}`;
    const excerpts = places.flatMap(({ line, column }) => {
      const margin = String(line).padStart(4);
      const caret = `${" ".repeat(margin.length)} │ ${" ".repeat(column - 1)}${colours.red("^")}`;
      return [`${colours.dim(`${margin} │`)} ${lines[line - 1] ?? ""}`, caret].map((each) =>
        excerpt(each, width),
      );
    });
    const at = places.map(({ line, column }) => `${line}:${column}`).join(", ");
    const title = at === "" ? head : `${head} at ${at}`;
    return [...(number === 0 ? [] : [""]), ...wrap(title, width, "  "), ...excerpts];
  });
}

function excerpt(line: string, width: number | undefined): string {
  return width === undefined ? line : clip(line, width);
}
