import { type Database, failpoint } from "@catalyst/durable";
import { type Anchor, type Denial, type IntroducedPeer, readAnchor } from "@catalyst/identity";
import type { PeerAudit } from "./peer-audit.ts";
import { type InvitationTable, type PeerStep, PeerTable, type StoredPeer } from "./peer-store.ts";

export type PeerBookParts = {
  readonly database: Database;
  readonly invitations: InvitationTable;
  readonly audit: PeerAudit;
  /** The organisation that this node is of. */
  readonly domain: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** There are other peers than before, or they are believed by something else. */
  readonly onChange: () => void;
};

/** How a peer came in. */
export type Arrival = {
  readonly peer: IntroducedPeer;
  /** Where it is dialled; null for one that comes. */
  readonly address: string | null;
  /** The id of the invitation. */
  readonly invitation: string;
};

type Named = Pick<StoredPeer, "node" | "fingerprint" | "invitation">;

/**
 * The peers that were added at run time. Each change is on disk first, then in the audit log, then in force; what was cut off in
 * between is finished at the next start. Removal is the exception: it is in force at once.
 */
export class PeerBook {
  readonly #parts: PeerBookParts;
  readonly #peers: PeerTable;

  constructor(parts: PeerBookParts) {
    this.#parts = parts;
    this.#peers = new PeerTable(parts.database);
  }

  /** Those that are in force, by name. */
  all(): readonly StoredPeer[] {
    return this.#peers.all().filter(isInForce);
  }

  /** Whether it was a peer, and is kept out until it is one again: its organisation may be believed for others' sake. */
  isRemoved(node: string): boolean {
    return this.#peers.get(node)?.isRemoved === true;
  }

  /** Those that are kept out. */
  removed(): readonly Denial[] {
    const removed = this.#peers.all().filter(({ isRemoved }) => isRemoved);
    return removed.map(({ node }) => ({ ...partsOf(node), serial: null }));
  }

  get(node: string): StoredPeer | undefined {
    const peer = this.#peers.get(node);
    return peer !== undefined && isInForce(peer) ? peer : undefined;
  }

  /** What they are believed by, each bound to the names that it may speak for. */
  anchors(): readonly Anchor[] {
    return this.all().flatMap(({ node, anchor }) => {
      return anchor === null ? [] : (readAnchor(anchor, partsOf(node)) ?? []);
    });
  }

  /** Finishes what was cut off. Throws RpcError `evidence_failed`: then those that it is about stay out of force. */
  async settle(): Promise<void> {
    for (const peer of this.#peers.all()) {
      if (peer.unaudited === null) continue;
      await this.#write(peer, peer.unaudited);
      this.#conclude(peer, peer.unaudited);
    }
  }

  /** Who used an invitation of ours; false where another one was first. Throws RpcError `evidence_failed`. */
  async accept(arrival: Omit<Arrival, "address">, usedBy: string): Promise<boolean> {
    const { database, invitations, now } = this.#parts;
    const { invitation, peer } = arrival;
    if (this.get(peer.node)?.invitation === invitation) return true; // its answer was lost
    const stored = this.#row({ ...arrival, address: null }, "peer.accept");
    const isOurs = database.transaction(() => {
      if (!invitations.use(invitation, usedBy, now())) return false;
      this.#peers.put(stored);
      return true;
    });
    if (isOurs) await this.#carryOut(stored, "peer.accept");
    return isOurs;
  }

  /** Whose invitation we used. Throws RpcError `evidence_failed`. */
  async join(arrival: Arrival): Promise<void> {
    const before = this.get(arrival.peer.node);
    if (before?.invitation === arrival.invitation && before.address === arrival.address) return;
    const stored = this.#row(arrival, "peer.join");
    this.#peers.put(stored);
    if (before !== undefined) this.#parts.onChange(); // it is dialled at once when it is in force again
    await this.#carryOut(stored, "peer.join");
  }

  /** Nobody is let in again by the invitation that it came by. Throws RpcError `evidence_failed`: it is removed all the same. */
  async remove(peer: StoredPeer): Promise<void> {
    const { database, invitations, onChange } = this.#parts;
    database.transaction(() => {
      this.#peers.remove(peer.node);
      invitations.removeUsedBy(peer.node);
    });
    onChange();
    await this.#carryOut(peer, "peer.remove");
  }

  /** What follows when a step is on disk. */
  async #carryOut(peer: Named, step: PeerStep): Promise<void> {
    await failpoint(`${step}.kept`);
    await this.#write(peer, step);
    await failpoint(`${step}.audited`);
    this.#conclude(peer, step);
  }

  async #write({ node, fingerprint, invitation }: Named, step: PeerStep): Promise<void> {
    const reason = `${fingerprint} by invitation ${invitation}`;
    await this.#parts.audit.act({ action: step, target: node, outcome: "done", reason });
  }

  #conclude({ node }: Named, step: PeerStep): void {
    this.#peers.setStep(node, step, null);
    this.#parts.onChange();
  }

  /** What is believed of our own organisation is not a peer's to say, and not kept for one. */
  #row({ peer, address, invitation }: Arrival, unaudited: PeerStep) {
    const { node, anchor } = peer;
    const isOurs = anchor.kind === "root" && anchor.domain === this.#parts.domain;
    return {
      node,
      address,
      anchor: isOurs ? null : anchor.certificate,
      fingerprint: anchor.thumbprint,
      invitation,
      since: this.#parts.now(),
      unaudited,
    };
  }
}

function isInForce({ isRemoved, unaudited }: StoredPeer): boolean {
  return !isRemoved && unaudited === null;
}

function partsOf(name: string): { domain: string; node: string } {
  const dot = name.indexOf(".");
  return { node: name.slice(0, dot), domain: name.slice(dot + 1) };
}
