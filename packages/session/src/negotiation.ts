import { nodeNameOf, type PeerCertificate } from "@catalyst/identity";
import { SessionError } from "./errors.ts";
import type { Open, ProtocolOffer } from "./message/open.ts";
import type { Admit, Candidate, Peer } from "./peer.ts";

/** What both ends may have outstanding on a channel. */
export type Window = { readonly messages: number; readonly bytes: number };

/** A protocol that both ends speak. */
export type AgreedProtocol = {
  readonly name: string;
  readonly version: number;
  /** What we may send ahead of the peer's taking, and it of ours. */
  readonly send: Window;
  readonly receive: Window;
};

/** What follows from two OPENs, spec/session.md §5. Both ends compute the same. */
export type Agreement = {
  readonly version: number;
  readonly purpose: string;
  /** The smaller of both. */
  readonly holdMs: number;
  readonly peer: Peer;
  /** The longest frame that the peer accepts. */
  readonly maxFrameBytes: number;
  readonly protocols: readonly AgreedProtocol[];
  /** Protocols that both offer, and that the peer may not speak, or in no common version: text for people. */
  readonly unavailable: readonly { readonly protocol: string; readonly reason: string }[];
};

/** What an OPEN is judged by. */
export type OpenJudgement = {
  readonly own: Open;
  readonly theirs: Open;
  readonly remote: string;
  readonly certificate: PeerCertificate | null;
  /** Whom we dialled; null when we were dialled. */
  readonly expected: string | null;
  /** Our wall time when their OPEN came. */
  readonly receivedAt: number;
  readonly admit: Admit;
};

/**
 * Reads the other end's OPEN against ours. Throws {@link SessionError} with the code of the first of the steps of
 * spec/session.md §5.2 that refuses it.
 */
export function agree(judgement: OpenJudgement): Agreement {
  const { own, theirs, certificate } = judgement;
  const version = highestCommon(own.versions, theirs.versions);
  if (version === null) {
    const text = `session versions ${theirs.versions.join(", ")} are offered, ${own.versions.join(", ")} are known here`;
    throw new SessionError("version_unsupported", text);
  }
  if (theirs.node === own.node) throw new SessionError("self_connection", `both ends are ${own.node}`);
  checkIdentity(judgement);
  if (theirs.purpose !== own.purpose) {
    throw new SessionError("open_mismatch", `${own.purpose} was asked for, ${theirs.purpose} was answered`);
  }
  const { protocols, unavailable } = agreeProtocols(own, theirs, denials(judgement));
  return {
    version,
    purpose: own.purpose,
    holdMs: Math.min(own.holdMs, theirs.holdMs),
    peer: peerOf(theirs, { authenticated: certificate !== null, receivedAt: judgement.receivedAt }),
    maxFrameBytes: theirs.maxFrameBytes,
    protocols,
    unavailable,
  };
}

function checkIdentity({ theirs, certificate, expected }: OpenJudgement): void {
  if (expected !== null && theirs.node !== expected) {
    throw new SessionError("identity_mismatch", `${expected} was dialled, ${theirs.node} answered`);
  }
  if (certificate === null) return;
  const named = certificate.id === null ? "nobody" : nodeNameOf(certificate.id);
  if (named !== theirs.node || certificate.id?.domain !== theirs.domain) {
    throw new SessionError("identity_mismatch", `the certificate is of ${named}, the OPEN of ${theirs.node}`);
  }
  if (certificate.keyThumbprint !== base64url(theirs.keyThumbprint)) {
    throw new SessionError("identity_mismatch", "the certificate has another key than the OPEN says");
  }
}

/** Which of our protocols the peer may not speak, and why. Throws `not_admitted` when it may speak none. */
function denials(judgement: OpenJudgement): ReadonlyMap<string, string> {
  const candidate = candidateOf(judgement);
  const { protocols } = judgement.own;
  const reasons = protocols.flatMap(({ name }) => {
    const admission = judgement.admit(candidate, name);
    return admission.admitted ? [] : [[name, admission.reason] as const];
  });
  if (reasons.length === protocols.length) throw new SessionError("not_admitted", reasons[0]?.[1] ?? "");
  return new Map(reasons);
}

function candidateOf({ theirs, remote, certificate }: OpenJudgement): Candidate {
  const { node, domain, purpose } = theirs;
  return { node, domain, keyThumbprint: base64url(theirs.keyThumbprint), purpose, remote, certificate };
}

function peerOf(
  theirs: Open,
  { authenticated, receivedAt }: { authenticated: boolean; receivedAt: number },
): Peer {
  return {
    node: theirs.node,
    domain: theirs.domain,
    keyThumbprint: base64url(theirs.keyThumbprint),
    incarnation: Buffer.from(theirs.incarnation).toString("hex"),
    capabilities: theirs.capabilities,
    authenticated,
    clockSkewMs: theirs.timeMs - receivedAt,
  };
}

function agreeProtocols(
  own: Open,
  theirs: Open,
  denied: ReadonlyMap<string, string>,
): Pick<Agreement, "protocols" | "unavailable"> {
  const offers = new Map(theirs.protocols.map((offer) => [offer.name, offer]));
  const protocols: AgreedProtocol[] = [];
  const unavailable: { protocol: string; reason: string }[] = [];
  for (const ours of own.protocols) {
    const other = offers.get(ours.name);
    if (other === undefined) continue;
    const denial = denied.get(ours.name);
    const version = highestCommon(ours.versions, other.versions);
    if (denial === undefined && version !== null) {
      protocols.push({ name: ours.name, version, send: windowOf(other), receive: windowOf(ours) });
      continue;
    }
    const reason =
      denial ??
      `versions ${other.versions.join(", ")} are offered, ${ours.versions.join(", ")} are known here`;
    unavailable.push({ protocol: ours.name, reason });
  }
  if (protocols.length > 0) return { protocols, unavailable };
  const [first] = unavailable;
  throw new SessionError(
    "protocol_unsupported",
    first === undefined
      ? `${listed(theirs)} is offered, ${listed(own)} is known here`
      : `of ${first.protocol}, ${first.reason}`,
  );
}

function windowOf(offer: ProtocolOffer): Window {
  return { messages: offer.windowMessages, bytes: offer.windowBytes };
}

function listed({ protocols }: Open): string {
  return protocols.map(({ name }) => name).join(", ");
}

function highestCommon(ours: readonly number[], theirs: readonly number[]): number | null {
  return ours.findLast((version) => theirs.includes(version)) ?? null;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
