import { orchestratorContract, type RouteTable, type RouteView } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import { type Command, Option } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { printRows } from "../output.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";
import { explain } from "./status.ts";

type ListOptions = { received?: boolean; advertised?: boolean; rejected?: boolean; peer?: string };

/** `catalyst route`: which services there are, and by which node each is reached. */
export function addRoutes(program: Command, printer: Printer): void {
  const command = program.command("route").description("which services there are, and how each is reached");
  const table = (name: string, what: string, others: string[]) =>
    new Option(`--${name}`, what).conflicts(others);
  asking(
    command
      .command("list")
      .description("list the routes that are used, the best one of each service first")
      .addOption(table("received", "what peers told, and what became of it", ["advertised", "rejected"]))
      .addOption(table("advertised", "what peers were told", ["received", "rejected"]))
      .addOption(table("rejected", "what peers told and was kept out", ["received", "advertised"]))
      .option("--peer <name>", "of this peer alone"),
    printer,
    (context, options: ListOptions) => listRoutes(context, options),
  );
  asking(
    command
      .command("explain")
      .description("why the routes of a service are as they are")
      .argument("<service>", "its name, with or without the domain"),
    printer,
    (context, _options, name = "") => explain(context, "route", name),
  );
}

async function listRoutes(context: CommandContext, options: ListOptions): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const table = tableOf(options);
  const { peer } = options;
  const routes = await orchestrator.call.listRoutes({ table, ...(peer === undefined ? {} : { peer }) });
  const { printer, format } = context;
  printRows(printer, format, routes, () => {
    if (routes.length === 0) return ["No routes."];
    const rows = routes.map((route) => rowOf(route, table, printer));
    const judged = table === "received" || table === "rejected" ? ["RULE"] : [];
    const head = ["SERVICE", "STATE", whom[table], "NEXT HOP", "ORIGIN", "PROTOCOL", ...judged];
    return renderTable(head, rows, printer.width());
  });
}

const whom: Readonly<Record<RouteTable, string>> = {
  best: "THROUGH",
  received: "FROM",
  rejected: "FROM",
  advertised: "TO",
};

function tableOf({ received, advertised, rejected }: ListOptions): RouteTable {
  if (received === true) return "received";
  if (advertised === true) return "advertised";
  return rejected === true ? "rejected" : "best";
}

function rowOf(route: RouteView, table: RouteTable, { colours }: Printer): string[] {
  const { service, origin, peer, nextHop, protocol, healthy, stale, rule } = route;
  const marks = [
    healthy ? colours.green("healthy") : colours.red("unhealthy"),
    ...(stale ? [colours.yellow("stale")] : []),
  ];
  const judged = table === "received" || table === "rejected" ? [visible(rule ?? "")] : [];
  return [service, marks.join(", "), peer ?? "this node", nextHop, origin, protocol, ...judged];
}
