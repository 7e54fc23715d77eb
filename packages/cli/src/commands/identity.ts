import { authContract, type NodeIdentity } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { readGiven } from "../given.ts";
import { printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { secondsOf } from "../seconds.ts";
import { renderTable, wrap } from "../table.ts";
import { addSelfSign } from "./self-sign.ts";

/** `catalyst identity`: who this node is, and who else is admitted to its organisation. */
export function addIdentity(program: Command, printer: Printer): void {
  const command = program
    .command("identity")
    .description("the certificates of this node, and of those that have joined it");
  asking(
    command.command("show").description("show who this node is, until when, and who is revoked"),
    printer,
    show,
  );
  asking(
    command.command("renew").description("renew the certificates of this node now, with new keys"),
    printer,
    renew,
  );
  asking(
    command
      .command("revoke")
      .description("admit a node no more, from now on; only at the root of the organisation")
      .argument("<node>", "its name")
      .option("--serial <serial>", "one certificate of it alone, by its serial number"),
    printer,
    (context, options: { serial?: string }, node = "") => revoke(context, node, options.serial),
  );
  addSelfSign(command, printer);
}

async function show(context: CommandContext): Promise<void> {
  using auth = await context.connect("auth", authContract);
  print(context, await auth.call.identity(undefined));
}

async function renew(context: CommandContext): Promise<void> {
  using auth = await context.connect("auth", authContract);
  print(context, await auth.call.renewIdentity(undefined));
}

async function revoke(context: CommandContext, node: string, serial: string | undefined): Promise<void> {
  const asked = readGiven(
    authContract.methods.revokeNode.input,
    { node, ...(serial === undefined ? {} : { serial }) },
    { node: "the node", serial: "--serial" },
  );
  using auth = await context.connect("auth", authContract);
  const denial = await auth.call.revokeNode(asked);
  const what = denial.serial === null ? `Node ${node}` : `Certificate ${denial.serial} of ${node}`;
  printValue(context.printer, context.format, denial, () => [
    `${what} is revoked since ${secondsOf(denial.since)}`,
  ]);
}

const roles: Readonly<Record<NodeIdentity["role"], string>> = {
  root: "the root of its organisation",
  member: "a node that has joined",
};

function print({ printer, format }: CommandContext, identity: NodeIdentity): void {
  const { node, domain, role, authority, roots, problem, certificates, issued, denied } = identity;
  const facts = [
    ["Node", `${node}.${domain}, ${roles[role]}`],
    ["Root", roots.join(", ")],
    ["Authority", authority.length === 0 ? "not served: give auth.authority.listen" : authority.join(", ")],
    ["Problem", problem ?? "none"],
  ].map(([name = "", value = ""]) => `${name.padEnd(11)}${value}`);
  const stateOf = (node: string, serial: string) =>
    isDenied(denied, node, serial) ? printer.colours.red("revoked") : "good";
  const own = certificates.map(({ process, serial, notAfter, renewsAt }) => {
    const renews = renewsAt === null ? "-" : secondsOf(renewsAt);
    return [node, process, secondsOf(notAfter), renews, stateOf(node, serial), serial];
  });
  const others = issued.map(({ node, process, serial, notAfter }) => {
    return [node, process, secondsOf(notAfter), "-", stateOf(node, serial), serial];
  });
  const listed = new Set(issued.map(({ serial }) => serial));
  const unlisted = denied.filter(({ serial }) => serial === null || !listed.has(serial));
  const revoked = unlisted.map(({ node, serial, until }) => {
    const end = until === null ? "until it joins again" : `until ${secondsOf(until)}`;
    return printer.colours.red(`Revoked: ${node}${serial === null ? "" : `, certificate ${serial}`}, ${end}`);
  });
  const head = ["NODE", "PROCESS", "EXPIRES", "RENEWS", "STATE", "SERIAL"];
  const width = printer.width();
  printValue(printer, format, identity, () => [
    ...facts.flatMap((fact) => wrap(visible(fact), width, " ".repeat(11))),
    "",
    ...renderTable(head, [...own, ...others], width),
    ...revoked.flatMap((line) => wrap(line, width, "  ")),
  ]);
}

/** Whether a certificate is revoked, by itself or with its node. */
function isDenied(denied: NodeIdentity["denied"], node: string, serial: string): boolean {
  return denied.some((denial) => denial.node === node && (denial.serial ?? serial) === serial);
}
