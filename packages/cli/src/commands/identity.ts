import { authContract, type NodeIdentity } from "@catalyst/rpc";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { readGiven } from "../given.ts";
import { printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";
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
  const own = certificates.map(({ process, serial, notAfter, renewsAt }) => {
    return [node, process, secondsOf(notAfter), renewsAt === null ? "-" : secondsOf(renewsAt), serial];
  });
  const others = issued.map(({ node, process, serial, notAfter }) => [
    node,
    process,
    secondsOf(notAfter),
    "-",
    serial,
  ]);
  const revoked = denied.map(({ node, serial, until }) => {
    const end = until === null ? "until it joins again" : `until ${secondsOf(until)}`;
    return printer.colours.red(`Revoked: ${node}${serial === null ? "" : `, certificate ${serial}`}, ${end}`);
  });
  printValue(printer, format, identity, () => [
    ...facts,
    "",
    ...renderTable(["NODE", "PROCESS", "EXPIRES", "RENEWS", "SERIAL"], [...own, ...others], printer.width()),
    ...revoked,
  ]);
}

function secondsOf(timestamp: string): string {
  return timestamp.replace(/\.\d+Z$/, "Z");
}
