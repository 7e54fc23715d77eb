import { orchestratorContract } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
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

const { methods } = orchestratorContract;

type InviteOptions = { node?: string; ttl: string; address?: readonly string[] };
type JoinOptions = { node?: string; wait: string };

/** How peers are added and removed while the node runs. */
export function addPeerInvitations(command: Command, printer: Printer): void {
  asking(
    command
      .command("invite")
      .description("make an invitation and print it, this once: it makes one node a peer of this one")
      .option("--node <name>", "the full name of the one node that it is for, such as n7.globex.internal")
      .option("--ttl <time>", "how long it is good, such as 10m or 1h", "10m")
      .option("--address <host:port>", "where that node reaches this one; repeatable", collect),
    printer,
    invite,
  );
  asking(
    command
      .command("join")
      .description("become a peer of the node that made an invitation, and wait for the session")
      .argument("<token>", "the invitation, or - to read it from standard input")
      .option(
        "--node <name>",
        "the full name that the other node has to have; needed for one that signs for itself, where others stand for its organisation",
      )
      .option("--wait <time>", "how long to wait for the session", "10s"),
    printer,
    (context, options: JoinOptions, token = "") => join(context, options, token),
  );
  asking(
    command
      .command("remove")
      .description("remove a peer that was invited: its session ends, its routes go, it is believed no more")
      .argument("<name>", "its name, with or without the domain"),
    printer,
    (context, _options, name = "") => remove(context, name),
  );
  const invitation = command.command("invitation").description("the invitations that this node has made");
  asking(invitation.command("list").description("list the invitations"), printer, listInvitations);
  asking(
    invitation
      .command("revoke")
      .description("take an invitation back; whoever has used it stays a peer")
      .argument("<id>", "its id, as `catalyst peer invitation list` shows it"),
    printer,
    (context, _options, id = "") => revokeInvitation(context, id),
  );
}

/** The invitation alone goes to stdout, so that it can be piped. */
async function invite(context: CommandContext, { node, ttl, address = [] }: InviteOptions): Promise<void> {
  const ttlMs = parseDuration("--ttl", ttl);
  const asked = readGiven(
    methods.invitePeer.input,
    { ...(node === undefined ? {} : { peer: node }), ttlMs, addresses: [...address] },
    { peer: "--node", ttlMs: `--ttl ${ttl}`, addresses: "--address" },
  );
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const made = await orchestrator.call.invitePeer(asked);
  const { printer } = context;
  printValue(printer, context.format, made, () => [made.token]);
  const who = made.peer ?? "Whoever has it";
  printer.talk(
    `${who} becomes a peer of ${made.node}, once, within ${formatDuration(ttlMs)}, at ${made.addresses.join(", ")}.`,
  );
  printer.talk(`Our fingerprint: ${made.fingerprint}`);
  printer.talk(
    "On the other node: `catalyst peer join TOKEN`, or `catalyst peer join -` to give it on standard input.",
  );
}

async function join(context: CommandContext, { node, wait }: JoinOptions, given: string): Promise<void> {
  const waitMs = parseDuration("--wait", wait);
  const asked = readGiven(
    methods.joinPeer.input,
    { token: await readToken(given), ...(node === undefined ? {} : { peer: node }), waitMs },
    { token: "the token", peer: "--node", waitMs: `--wait ${wait}` },
  );
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const joined = await orchestrator.call.joinPeer(asked, { timeoutMs: waitMs + 60_000 });
  const { printer, format } = context;
  const { peer, ownFingerprint } = joined;
  printValue(printer, format, joined, () => [
    `${joined.node} is a peer of this node, at ${peer.address ?? "no address"}`,
    `  its fingerprint:  ${peer.fingerprint ?? "-"}`,
    `  our fingerprint:  ${ownFingerprint}`,
    `  session:          ${peer.state}`,
  ]);
  if (peer.state === "established") return;
  const why = peer.lastEnd === null ? "" : `: ${visible(peer.lastEnd.text)} (${peer.lastEnd.code})`;
  throw new CommandError(
    exitCode.temporary,
    `There is no session with ${joined.node} yet${why}. It is tried on: see \`catalyst peer list\`.`,
  );
}

async function remove(context: CommandContext, peer: string): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const removed = await orchestrator.call.removePeer({ peer });
  const { printer, format } = context;
  printValue(printer, format, removed, () => [
    `${removed.node} is no peer of this node any more, until it is invited again.`,
  ]);
}

async function listInvitations(context: CommandContext): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const invitations = await orchestrator.call.listInvitations(undefined);
  const { printer, format } = context;
  printRows(printer, format, invitations, () => {
    if (invitations.length === 0) return ["No invitations: make one with `catalyst peer invite`."];
    const rows = invitations.map(({ id, state, peer, usedBy, expiresAt }) => {
      return [id, state, peer ?? "whoever has it", usedBy ?? "-", expiresAt];
    });
    return renderTable(["INVITATION", "STATE", "FOR", "USED BY", "EXPIRES"], rows, printer.width());
  });
}

async function revokeInvitation(context: CommandContext, id: string): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const revoked = await orchestrator.call.revokeInvitation({ id });
  printValue(context.printer, context.format, revoked, () => [`Invitation ${id} is taken back.`]);
}
