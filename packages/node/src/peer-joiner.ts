import { once } from "node:events";
import { type ConnectionOptions, connect } from "node:tls";
import { parseHostAddress } from "@catalyst/config";
import {
  chainOf,
  exporterOf,
  type IntroducedPeer,
  type Invitation,
  invitationId,
  invitationProof,
  invitationProtocol,
  judgePeer,
  nodeNameOf,
  type PeerTrust,
  refusal,
  thumbprintOf,
  toPem,
} from "@catalyst/identity";
import { RpcError } from "@catalyst/rpc";
import type { Shown } from "./peer-credentials.ts";
import { PeerExchange } from "./peer-exchange.ts";

export type PeerJoinerParts = {
  readonly own: { readonly domain: string; readonly node: string };
  readonly shown: Shown;
  readonly believed: PeerTrust;
  /** Whether somebody here named the peer that the invitation is of. */
  readonly isNamed: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
};

/** Who invited us, and at which of its addresses it was found. */
export type FoundPeer = { readonly peer: IntroducedPeer; readonly address: string };

const connectMs = 5_000;
const answerMs = 15_000;
/** The hello, and the answer. */
const mostMessages = 2;

/**
 * Uses an invitation, spec/invitation.md §3: pins what the inviter's certificate goes back to, looks at who it is and whether it
 * may be a peer, and only then proves that we have the secret. Throws RpcError `invitation_refused`, whose message has the
 * code of spec/invitation.md §6, or `peer_unreachable`; IdentityError `message_malformed`.
 */
export async function useInvitation(invitation: Invitation, parts: PeerJoinerParts): Promise<FoundPeer> {
  const { own, now } = parts;
  if (now >= invitation.expires * 1_000) throw refused(refusal("invitation_expired"));
  const self = nodeNameOf(own);
  if (invitation.peer !== null && invitation.peer !== self) {
    throw refused(refusal("invitation_other_node", `for ${invitation.peer}, and this is ${self}`));
  }
  const failures: string[] = [];
  for (const address of invitation.addresses) {
    try {
      const anchor = await pinAnchor(invitation, address);
      return { peer: await introduce(invitation, address, anchor, parts), address };
    } catch (error) {
      if (!(error instanceof RpcError && error.code === "peer_unreachable")) throw error;
      failures.push(`${address}: ${error.message}`);
    }
  }
  throw new RpcError(
    "peer_unreachable",
    `whoever made the invitation does not answer: ${failures.join("; ")}`,
  );
}

/** What the inviter says that its certificate goes back to: its digest is the invitation's, whoever brings it. */
async function pinAnchor({ anchor }: Invitation, address: string): Promise<Uint8Array> {
  using exchange = await open(address, {});
  const hello = await exchange.receive("hello");
  if (thumbprintOf(hello.anchor) === Buffer.from(anchor).toString("base64url")) return hello.anchor;
  throw refused(refusal("anchor_mismatch", address));
}

/** The second connection: TLS validates the inviter's path to that anchor and to nothing else. */
async function introduce(
  invitation: Invitation,
  address: string,
  anchor: Uint8Array,
  { own, shown, believed, isNamed, now }: PeerJoinerParts,
): Promise<IntroducedPeer> {
  const { certificateChain, privateKey } = shown.credentials;
  using exchange = await open(address, {
    ca: toPem("CERTIFICATE", anchor),
    cert: certificateChain,
    key: privateKey,
  });
  const { socket } = exchange;
  if (!socket.authorized)
    throw refused(refusal("anchor_mismatch", `${address}: ${socket.authorizationError}`));
  const expected = nodeNameOf(invitation);
  const peer = judgePeer({ chain: chainOf(socket), anchor, believed, own, expected, isNamed, now });
  if ("code" in peer) throw refused(peer);
  await exchange.receive("hello");
  const certificate = shown.chain[0] ?? new Uint8Array();
  const proven = { binding: exporterOf(socket), certificate, anchor: shown.anchor };
  exchange.send({
    kind: "join",
    invitation: invitationId(invitation.secret),
    anchor: shown.anchor,
    proof: invitationProof(invitation.secret, proven),
  });
  const answer = await exchange.receive("accepted", "refused");
  if (answer.kind === "accepted") return peer;
  throw refused(answer);
}

/** Connects to whoever answers; who that is, is looked at by the caller. */
async function open(address: string, options: ConnectionOptions): Promise<PeerExchange> {
  const socket = connect({
    ...parseHostAddress(address),
    ...options,
    minVersion: "TLSv1.3",
    ALPNProtocols: [invitationProtocol],
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(connectMs) });
  } catch (cause) {
    socket.on("error", () => undefined).destroy();
    const reason =
      cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause);
    throw new RpcError("peer_unreachable", reason, { cause });
  }
  return new PeerExchange(socket, mostMessages, answerMs);
}

function refused({ code, text }: { readonly code: string; readonly text: string }): RpcError {
  return new RpcError("invitation_refused", `${text} (${code})`);
}
