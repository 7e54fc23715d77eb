import type { SessionRole } from "./machine.ts";

/** One of two connections with the same peer for the same purpose. */
export type Contender = {
  readonly role: SessionRole;
  /** Of the peer, in hexadecimal; null before its OPEN came. */
  readonly incarnation: string | null;
};

/**
 * Which connection stays when an OPEN came on `newcomer` while `other` is there, spec/session.md §6: the newcomer when
 * the peer has started anew since, or the same end dialled both; else the one that the node with the higher name
 * dialled. Names are compared byte by byte.
 */
export function survivor(
  newcomer: Contender,
  other: Contender,
  names: { readonly own: string; readonly peer: string },
): "newcomer" | "other" {
  if (other.incarnation !== null && other.incarnation !== newcomer.incarnation) return "newcomer";
  if (newcomer.role === other.role) return "newcomer";
  const winner: SessionRole = names.own > names.peer ? "dialler" : "listener";
  return newcomer.role === winner ? "newcomer" : "other";
}
