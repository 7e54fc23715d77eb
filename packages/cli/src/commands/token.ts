import { joinTokenId, parseJoinToken } from "@catalyst/identity";
import { authContract, type JoinTokenStatus } from "@catalyst/rpc";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { readGiven } from "../given.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { readToken } from "../read-token.ts";
import { collect } from "../roots.ts";
import { renderTable } from "../table.ts";
import {
  createAccessToken,
  type InspectOptions,
  idOfToken,
  inspectAccessToken,
  type TokenOptions,
} from "./access-token.ts";

type CreateOptions = Partial<TokenOptions> & { readonly node?: string };

/**
 * `catalyst token`: with one kind a program speaks for somebody to services, with the other a machine becomes a node of
 * this organisation.
 */
export function addTokens(program: Command, printer: Printer): void {
  const command = program
    .command("token")
    .description("give tokens: for somebody to call services, or for a machine to join as a node");
  asking(
    command
      .command("create")
      .description(
        "make a token and print it, this once: for somebody (--sub), or for a node to join (--node)",
      )
      .option("--sub <name>", "who calls services with it, such as alice")
      .option(
        "--service <name>",
        "a service that it is good for, graphql for the endpoint over all, '*' for every one; repeatable",
        collect,
      )
      .option("--audience <name>", "who takes it, in place of this organisation's nodes")
      .option("--bind <file>", "a client certificate, PEM: it is good over TLS with that one alone")
      .option("--node <name>", "make a join token: the name of the node that whoever has it will be, once")
      .option("--ttl <time>", "how long it is good, such as 5m or 1h (default: 5m, for a node 10m)"),
    printer,
    createToken,
  );
  asking(
    command
      .command("inspect")
      .description("say what a token says, and whether this node takes it")
      .argument("<token>", "the token, or - for standard input, where no list of processes shows it")
      .option("--service <name>", "say too whether it is good for this service")
      .option("--certificate <file>", "the client certificate that it comes with, PEM"),
    printer,
    (context, options: InspectOptions, token = "") => inspectAccessToken(context, token, options),
  );
  asking(
    command.command("list").description("list the join tokens that have not expired"),
    printer,
    listTokens,
  );
  asking(
    command
      .command("revoke")
      .description("take a token back: nobody calls a service, or joins, with it from now on")
      .argument(
        "<token>",
        "its id, of a join token also the node that it is for, or - for the token itself on standard input",
      ),
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
  const text = await readToken(given);
  using auth = await connect("auth", authContract);
  if (/^[0-9a-f]{32}$/.test(text) || (text.includes(".") && !text.startsWith("join1."))) {
    const jti = text.includes(".") ? await idOfToken(text, auth.call) : text;
    const gone = await auth.call.revokeToken({ jti });
    return printValue(printer, format, gone, () => [`Access token ${jti} is taken back`]);
  }
  const token = text.startsWith("join1.") ? joinTokenId(parseJoinToken(text).secret) : text;
  const { input } = authContract.methods.revokeJoinToken;
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

async function createToken(context: CommandContext, { node, sub, ...options }: CreateOptions): Promise<void> {
  const { service, audience, bind, ttl } = options;
  if (sub !== undefined && node === undefined) return createAccessToken(context, { ...options, sub });
  if (node !== undefined && [sub, service, audience, bind].every((each) => each === undefined))
    return createJoinToken(context, node, ttl ?? "10m");
  throw new CommandError(
    exitCode.usage,
    "write either --sub NAME and --service NAME, for somebody to call services, or --node NAME alone, for a machine to join",
  );
}

/** The token alone goes to stdout, so that `TOKEN=$(catalyst token create …)` holds it and nothing else. */
async function createJoinToken(context: CommandContext, name: string, ttl: string): Promise<void> {
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
