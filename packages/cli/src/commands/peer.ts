import { orchestratorContract, type PeerStatus } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Command } from "commander";
import { asking } from "../asking.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { CommandError, exitCode } from "../exit-code.ts";
import { printRows, printValue } from "../output.ts";
import type { Printer } from "../printer.ts";
import { secondsOf } from "../seconds.ts";
import { renderTable, wrap } from "../table.ts";
import { addPeerInvitations } from "./peer-invite.ts";

/** `catalyst peer`: the nodes that this one exchanges routes with. */
export function addPeers(program: Command, printer: Printer): void {
  const command = program.command("peer").description("the nodes that this one exchanges routes with");
  asking(command.command("list").description("list the peers"), printer, listPeers);
  asking(
    command
      .command("show")
      .description("show a peer")
      .argument("<name>", "its name, with or without the domain"),
    printer,
    (context, _options, name = "") => showPeer(context, name),
  );
  addPeerInvitations(command, printer);
}

async function listPeers(context: CommandContext): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const peers = await orchestrator.call.listPeers(undefined);
  const { printer, format } = context;
  printRows(printer, format, peers, () => {
    if (peers.length === 0)
      return ["No peers: `catalyst peer invite` here, then `catalyst peer join` at the other node."];
    const rows = peers.map((peer) => [
      peer.node ?? "-",
      stateOf(peer, printer),
      since(peer),
      String(peer.received),
      String(peer.advertised),
      peer.origin,
      peer.address ?? "-",
    ]);
    const table = renderTable(
      ["PEER", "STATE", "SINCE", "RECEIVED", "ADVERTISED", "FROM", "ADDRESS"],
      rows,
      printer.width(),
    );
    return [...table, ...peers.flatMap((peer) => trouble(peer, printer.width()))];
  });
}

async function showPeer(context: CommandContext, name: string): Promise<void> {
  using orchestrator = await context.connect("orchestrator", orchestratorContract);
  const peers = await orchestrator.call.listPeers(undefined);
  const peer = peers.find(({ node }) => node === name || node?.split(".")[0] === name);
  if (peer === undefined) {
    const known = peers.flatMap(({ node }) => node ?? []).join(", ");
    const there = known === "" ? "there are none" : `there are ${known}`;
    throw new CommandError(exitCode.notFound, `No peer is called ${name}: ${there}.`);
  }
  const own = (await orchestrator.call.status(undefined)).details.peering?.fingerprint;
  const { printer, format } = context;
  printValue(printer, format, peer, () => [
    `${peer.node ?? "unknown"} at ${peer.address ?? "no address"}`,
    `  state:            ${stateOf(peer, printer)}${peer.establishedMs === null ? "" : ` for ${since(peer)}`}`,
    `  known from:       ${origins[peer.origin]}`,
    `  its fingerprint:  ${peer.fingerprint ?? "-"}`,
    `  our fingerprint:  ${own ?? "-"}`,
    `  proves it:        ${peer.authenticated === null ? "-" : peer.authenticated ? "yes" : "no, the session is plain"}`,
    `  certificate:      ${peer.certificateNotAfter === null ? "-" : `good until ${secondsOf(peer.certificateNotAfter)}`}`,
    `  clock:            ${peer.clockSkewMs === null ? "-" : `${Math.round(peer.clockSkewMs)} ms from ours`}`,
    `  routes:           ${peer.received} received, ${peer.advertised} advertised`,
    ...trouble(peer, printer.width()),
  ]);
}

const origins: Readonly<Record<PeerStatus["origin"], string>> = {
  configuration: "the configuration, mesh.peers",
  invitation: "an invitation",
  incoming: "itself: it opened a session, and its organisation is believed",
};

function stateOf({ state }: PeerStatus, { colours }: Printer): string {
  if (state === "established") return colours.green(state);
  return state === "idle" ? colours.red(state) : colours.yellow(state);
}

function since({ establishedMs, retryInMs }: PeerStatus): string {
  if (establishedMs !== null) return formatDuration(establishedMs);
  return retryInMs === null ? "-" : `again in ${formatDuration(Math.ceil(retryInMs / 1_000) * 1_000)}`;
}

/** Why there is no session. */
function trouble({ node, state, lastEnd }: PeerStatus, width: number | undefined): string[] {
  if (state === "established" || lastEnd === null) return [];
  return wrap(`${node ?? "somebody"}: ${visible(lastEnd.text)} (${lastEnd.code})`, width, "  ");
}
