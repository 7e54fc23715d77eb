import { admit } from "../admission/admit.ts";
import {
  type DomainRoot,
  domainRoot,
  type PeerTrust,
  type PinnedCertificate,
  pinnedCertificate,
} from "../admission/peer-trust.ts";
import { readPeerCertificate } from "../certificate/peer-certificate.ts";
import { IdentityError } from "../errors.ts";
import { nodeNameOf, type SpiffeId } from "../spiffe-id.ts";
import { type InvitationRefusal, refusal } from "./invitation-refusal.ts";

/** What a peer is believed by: the root of its organisation, or its own certificate. Bound to its domain or to itself. */
export type Anchor =
  | ({ readonly kind: "root" } & DomainRoot)
  | ({ readonly kind: "pinned" } & PinnedCertificate);

/** An anchor as it is believed beside others. */
export function trustInAnchors(anchors: readonly Anchor[]): PeerTrust {
  return {
    roots: anchors.filter((anchor) => anchor.kind === "root"),
    pinned: anchors.filter((anchor) => anchor.kind === "pinned"),
    denied: [],
  };
}

/**
 * What a node's own certificate goes back to, spec/invitation.md §1: itself where it is self-signed, else that one of the
 * roots of its domain. Null when it goes back to none of them.
 *
 * @param chain DER, the leaf first
 */
export function ownAnchor(chain: readonly Uint8Array[], { roots }: PeerTrust): Uint8Array | null {
  const read = readPeerCertificate(
    chain,
    roots.map(({ certificate }) => certificate),
  );
  if (read === null || read.id === null) return null;
  const { id, root, thumbprint } = read;
  if (root === thumbprint) return chain[0] ?? null;
  return roots.find((each) => each.domain === id.domain && each.thumbprint === root)?.certificate ?? null;
}

export type PeerQuestion = {
  /** What the other end showed in the handshake, DER, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** What it says that this goes back to, DER. */
  readonly anchor: Uint8Array;
  /** Who is believed already. */
  readonly believed: PeerTrust;
  readonly own: { readonly domain: string; readonly node: string };
  /** The full name that it has to have; null for any. */
  readonly expected: string | null;
  /** Whether somebody on this side named it: then it may stand for itself where others stand for its domain. */
  readonly isNamed: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
};

/** A peer with whom an invitation was found to be in order. */
export type IntroducedPeer = {
  /** Its full name. */
  readonly node: string;
  readonly id: SpiffeId;
  readonly anchor: Anchor;
};

/**
 * Who the other end of an invitation is, and whether it may bring the anchor that it brings: spec/invitation.md §4. The
 * anchor is bound to the names of the certificate that goes back to it. It looks at signatures and names; that TLS finds the
 * path valid is for every session that follows.
 */
export function judgePeer(question: PeerQuestion): IntroducedPeer | InvitationRefusal {
  const { chain, believed, own, expected, isNamed, now } = question;
  const certificate = readPeerCertificate(chain, [question.anchor]);
  if (certificate?.id == null) {
    return refusal("peer_refused", "its certificate names no process of a node");
  }
  const { id } = certificate;
  const node = nodeNameOf(id);
  if (expected !== null && expected !== node) {
    return refusal("invitation_other_node", `it is ${node}, not ${expected}`);
  }
  if (id.domain === own.domain && id.node === own.node) return refusal("peer_self");
  const anchor = readAnchor(question.anchor, id);
  if (anchor === null) return refusal("anchor_unusable");
  const trust = { ...trustInAnchors([anchor]), denied: believed.denied };
  const admission = admit({ certificate, protocol: "cp", now }, trust);
  if (admission.kind === "refused") return refusal("peer_refused", admission.text);
  if (isFree(anchor, believed, own.domain) || (anchor.kind === "pinned" && isNamed)) {
    return { node, id, anchor };
  }
  return refusal("anchor_conflict", `${node} brings ${anchor.thumbprint}`);
}

/** Nobody speaks for a domain that is this node's own, or for which another anchor stands. */
function isFree({ domain, thumbprint }: Anchor, { roots, pinned }: PeerTrust, own: string): boolean {
  const known = [...roots, ...pinned].filter((each) => each.domain === domain);
  if (known.some((each) => each.thumbprint === thumbprint)) return true;
  return known.length === 0 && domain !== own;
}

/** Binds an anchor to the names that it may speak for; null for a certificate that can be none's. */
export function readAnchor(
  der: Uint8Array,
  { domain, node }: Pick<SpiffeId, "domain" | "node">,
): Anchor | null {
  try {
    return { kind: "root", ...domainRoot(domain, der) };
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error;
  }
  try {
    const pinned = pinnedCertificate(der);
    return pinned.domain === domain && pinned.node === node ? { kind: "pinned", ...pinned } : null;
  } catch (error) {
    if (error instanceof IdentityError) return null;
    throw error;
  }
}
