import { readFileSync } from "node:fs";
import { joinTokenId, parseJoinToken } from "@catalyst/identity";
import { authContract, type JoinTokenStatus } from "@catalyst/rpc";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { readGiven, required } from "../given.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { renderTable } from "../table.ts";

type CreateOptions = { node?: string; ttl: string };

/** `catalyst token`: with one a machine becomes a node of this organisation. */
export function addJoinTokens(program: Command, printer: Printer): void {
  const command = program
    .command("token")
    .description("let another machine join this organisation, as a node of it");
  asking(
    command
      .command("create")
      .description("make a join token and print it, this once: it is good for one node, once")
      .option("--node <name>", "the name of the node that whoever has the token will be")
      .option("--ttl <time>", "how long it is good, such as 10m or 1h", "10m"),
    printer,
    createToken,
  );
  asking(
    command.command("list").description("list the join tokens that have not expired"),
    printer,
    listTokens,
  );
  asking(
    command
      .command("revoke")
      .description("take a join token back: nobody joins with it from now on")
      .argument("<token>", "its id, the node that it is for, or - for the token itself on standard input"),
    printer,
    (context, _options, token = "") => revokeToken(context, token),
  );
}

async function listTokens({ printer, format, connect }: CommandContext): Promise<void> {
  using auth = await connect("auth", authContract);
  const tokens = await auth.call.joinTokens(undefined);
  printRows(printer, format, tokens, () =>
    tokens.length === 0 ? ["No join tokens."] : tableOf(tokens, printer),
  );
}

/** The token itself holds a secret, which goes nowhere from here. */
async function revokeToken({ printer, format, connect }: CommandContext, given: string): Promise<void> {
  const text = given === "-" ? readFileSync(0, "utf8").trim() : given;
  const token = text.startsWith("join1.") ? joinTokenId(parseJoinToken(text).secret) : text;
  const { input } = authContract.methods.revokeJoinToken;
  using auth = await connect("auth", authContract);
  const revoked = await auth.call.revokeJoinToken(readGiven(input, { token }, { token: "the token" }));
  printRows(printer, format, revoked, () =>
    revoked.map(({ id, node }) => `Join token ${id} for ${node} is taken back`),
  );
}

function tableOf(tokens: readonly JoinTokenStatus[], { colours, width }: Printer): readonly string[] {
  const coloured = { open: colours.green, used: colours.dim, revoked: colours.red };
  return renderTable(
    ["NODE", "STATE", "EXPIRES", "ID"],
    tokens.map(({ node, state, expiresAt, id }) => [
      node,
      coloured[state](state),
      expiresAt.replace(/\.\d+Z$/, "Z"),
      id,
    ]),
    width(),
  );
}

/** The token alone goes to stdout, so that `TOKEN=$(catalyst token create …)` holds it and nothing else. */
async function createToken(context: CommandContext, { node, ttl }: CreateOptions): Promise<void> {
  const name = required("--node", node, "--node NAME, the name that the new node will have");
  const ttlMs = parseDuration("--ttl", ttl);
  const asked = readGiven(
    authContract.methods.createJoinToken.input,
    { node: name, ttlMs },
    { node: "--node", ttlMs: `--ttl ${ttl}` },
  );
  using auth = await context.connect("auth", authContract);
  const created = await auth.call.createJoinToken(asked);
  const { printer } = context;
  printValue(printer, context.format, created, () => [created.token]);
  printer.talk(
    `Whoever has it becomes ${name}, once, within ${formatDuration(ttlMs)}, at ${created.addresses.join(", ")}.`,
  );
  printer.talk(
    "On the other machine: `catalyst up --join TOKEN`, or `--join -` to give it on standard input.",
  );
}
