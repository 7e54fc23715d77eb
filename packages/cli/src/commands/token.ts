import { authContract } from "@catalyst/rpc";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { readGiven, required } from "../given.ts";
import { printValue } from "../output.ts";
import type { Printer } from "../printer.ts";

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
