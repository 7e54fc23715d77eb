import type { ConnectionOptions } from "node:tls";
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
import { dialTls, firstToAnswer, systemReason } from "../dial-tls.ts";
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

const inviter = { unreachable: "peer_unreachable", nobody: "whoever made the invitation" } as const;
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
  return firstToAnswer(invitation.addresses, inviter, async (address) => {
    const anchor = await pinAnchor(invitation, address);
    return { peer: await introduce(invitation, address, anchor, parts), address };
  });
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
  const socket = await dialTls(address, {
    ...options,
    ALPNProtocols: [invitationProtocol],
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  }).catch((cause: unknown) => {
    throw new RpcError("peer_unreachable", systemReason(cause), { cause });
  });
  return new PeerExchange(socket, mostMessages, answerMs);
}

function refused({ code, text }: { readonly code: string; readonly text: string }): RpcError {
  return new RpcError("invitation_refused", `${text} (${code})`);
}
