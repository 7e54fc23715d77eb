import type { PeerCertificate } from "../certificate/peer-certificate.ts";
import type { Kid } from "../public-key.ts";
import { formatSpiffeId, nodeNameOf, type SpiffeId } from "../spiffe-id.ts";
import type { PeerTrust } from "./peer-trust.ts";

/**
 * What a peer asks to speak: `cp` the control plane of a session, `tp` transfer, `mesh` requests between Envoys, `star`
 * Orbit's service, `authority` the interface of the root authority (spec/enrolment.md §4) as its server, `member` as its
 * client.
 */
export type AdmittedProtocol = "cp" | "tp" | "mesh" | "star" | "authority" | "member";

/** Whose certificate is good for what: one of another process, stolen or lent, opens no other door. */
const speakers: Readonly<Record<AdmittedProtocol, readonly string[]>> = {
  cp: ["orchestrator"],
  tp: ["orchestrator", "content"],
  mesh: ["envoy"],
  star: ["content"],
  authority: ["authority"],
  member: ["auth"],
};

export type AdmissionQuestion = {
  /** Null for a peer that showed no certificate. */
  readonly certificate: PeerCertificate | null;
  readonly protocol: AdmittedProtocol;
  /** Who was called, as far as that is known: the organisation, or one node of it. */
  readonly expected?: { readonly domain: string; readonly node?: string };
  /** Milliseconds since 1970. */
  readonly now: number;
};

/**
 * Why a peer is not admitted; the text says what to do.
 *
 * | code | what it means |
 * |---|---|
 * | `certificate_missing` | the peer showed no certificate |
 * | `certificate_unnamed` | it does not name one process of one node, or has names beside that node's |
 * | `peer_unexpected` | it is somebody else's than who was called |
 * | `domain_unknown` | nobody of that organisation is believed |
 * | `root_foreign` | its chain ends at no root that is believed for its organisation, and it is not pinned |
 * | `certificate_early` | its time has not come |
 * | `certificate_expired` | its time is over |
 * | `node_denied` | its node was revoked |
 * | `certificate_denied` | this one certificate was revoked |
 * | `process_unfit` | its process does not speak this protocol |
 */
export type AdmissionCode =
  | "certificate_missing"
  | "certificate_unnamed"
  | "peer_unexpected"
  | "domain_unknown"
  | "root_foreign"
  | "certificate_early"
  | "certificate_expired"
  | "node_denied"
  | "certificate_denied"
  | "process_unfit";

export type Admission =
  | {
      readonly kind: "admitted";
      readonly id: SpiffeId;
      /** What the peer may be called: its SPIFFE id and its node's name. */
      readonly names: readonly [spiffeId: string, nodeName: string];
      readonly thumbprint: string;
      readonly keyThumbprint: Kid | null;
      readonly serial: string;
      /** When its certificate expires: a connection does not outlive it. */
      readonly until: number;
    }
  | { readonly kind: "refused"; readonly code: AdmissionCode; readonly text: string };

/**
 * Whether a peer may speak a protocol: spec/enrolment.md §2, step by step, the first fault counts. It is asked after
 * TLS has validated the chain, and again whenever the trust changes. Pure, and never throws.
 */
export function admit(
  { certificate, protocol, expected, now }: AdmissionQuestion,
  trust: PeerTrust,
): Admission {
  if (certificate === null) {
    return refused(
      "certificate_missing",
      "the peer showed no certificate: enrol its node, or give it one by path",
    );
  }
  const { id } = certificate;
  const nodeName = id === null ? "" : nodeNameOf(id);
  if (id === null || certificate.dnsNames.some((name) => name !== nodeName)) {
    const form = "spiffe://DOMAIN/node/NODE/PROCESS and NODE.DOMAIN";
    return refused(
      "certificate_unnamed",
      `the certificate does not name one process of one node: give it ${form}`,
    );
  }
  if (isOther(id, expected)) {
    const called = expected?.node === undefined ? expected?.domain : `${expected.node}.${expected.domain}`;
    return refused("peer_unexpected", `${nodeName} answered where ${called} was called: correct the address`);
  }
  const fault =
    untrusted(certificate, id, trust) ??
    untimely(certificate, nodeName, now) ??
    denied(certificate, id, trust);
  if (fault !== null) return fault;
  if (!speakers[protocol].includes(id.process)) {
    const those = speakers[protocol].join(" or ");
    return refused(
      "process_unfit",
      `${formatSpiffeId(id)} does not speak ${protocol}: use the certificate of ${those}`,
    );
  }
  const { thumbprint, keyThumbprint, serial, notAfter: until } = certificate;
  return {
    kind: "admitted",
    id,
    names: [formatSpiffeId(id), nodeName],
    thumbprint,
    keyThumbprint,
    serial,
    until,
  };
}

type Refusal = Extract<Admission, { kind: "refused" }>;

function isOther(id: SpiffeId, expected: AdmissionQuestion["expected"]): boolean {
  if (expected === undefined) return false;
  return id.domain !== expected.domain || (expected.node !== undefined && id.node !== expected.node);
}

function untrusted(
  { root, thumbprint }: PeerCertificate,
  id: SpiffeId,
  { roots, pinned }: PeerTrust,
): Refusal | null {
  const own = roots.filter(({ domain }) => domain === id.domain);
  const pins = pinned.filter(({ domain }) => domain === id.domain);
  if (own.length + pins.length === 0) {
    return refused(
      "domain_unknown",
      `nobody of ${id.domain} is believed here: add its trust bundle, or pin its nodes`,
    );
  }
  if (own.some((each) => each.thumbprint === root)) return null;
  if (pins.some((pin) => pin.node === id.node && pin.thumbprint === thumbprint)) return null;
  return refused(
    "root_foreign",
    `the certificate of ${nodeNameOf(id)} comes from no root of ${id.domain} and is not pinned: take the newest trust bundle, or pin ${thumbprint} if it is the node's own`,
  );
}

function untimely({ notBefore, notAfter }: PeerCertificate, name: string, now: number): Refusal | null {
  const time = (ms: number) => new Date(ms).toISOString();
  if (now < notBefore) {
    return refused(
      "certificate_early",
      `the certificate of ${name} is good from ${time(notBefore)} on: set the clocks`,
    );
  }
  if (now < notAfter) return null;
  return refused(
    "certificate_expired",
    `the certificate of ${name} expired at ${time(notAfter)}: it joins again with a new token`,
  );
}

function denied({ serial }: PeerCertificate, id: SpiffeId, trust: PeerTrust): Refusal | null {
  const own = trust.denied.filter(({ domain, node }) => domain === id.domain && node === id.node);
  if (own.some((denial) => denial.serial === null)) {
    return refused("node_denied", `${nodeNameOf(id)} was revoked: it joins again with a new token`);
  }
  if (!own.some((denial) => denial.serial === serial)) return null;
  return refused("certificate_denied", `certificate ${serial} of ${nodeNameOf(id)} was revoked: renew it`);
}

function refused(code: AdmissionCode, text: string): Refusal {
  return { kind: "refused", code, text };
}
