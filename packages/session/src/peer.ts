import type { PeerCertificate } from "@catalyst/identity";

/** Who asks to be let in: what it says of itself, which its certificate was found to agree with when it has one. */
export type Candidate = {
  readonly node: string;
  readonly domain: string;
  /** The RFC 7638 thumbprint of its key, base64url. */
  readonly keyThumbprint: string;
  readonly purpose: string;
  /** Where the connection comes from or goes to, for logs. */
  readonly remote: string;
  /** Null on a plain transport. */
  readonly certificate: PeerCertificate | null;
};

/** Whether somebody is let in; `reason` is for people, there and here. */
export type SessionAdmission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: string };

/** Decides whether a peer may speak a protocol. */
export type Admit = (candidate: Candidate, protocol: string) => SessionAdmission;

/** The other end of a session. */
export type Peer = {
  readonly node: string;
  readonly domain: string;
  readonly keyThumbprint: string;
  /** Random for each start of the peer's process: another one means that all that it kept in memory is gone. Hexadecimal. */
  readonly incarnation: string;
  readonly capabilities: readonly string[];
  /** False on a plain transport: then the rest is only what it says. */
  readonly authenticated: boolean;
  /** Its wall clock less ours when its OPEN came, in ms; the time that the OPEN took to come is in it. */
  readonly clockSkewMs: number;
};
