import { z } from "zod";
import { bytes, flag, Table } from "../table.ts";

/** A step of a peer's life that the audit log has to have an entry of. */
export type PeerStep = "peer.accept" | "peer.join" | "peer.remove";

/** A peer that was added at run time, on disk. */
export type StoredPeer = {
  /** Its full name. */
  readonly node: string;
  /** Where it is dialled; null for one that comes. */
  readonly address: string | null;
  /** What it is believed by beside what is believed anyway, DER; null where that is enough. */
  readonly anchor: Uint8Array | null;
  /** SHA-256 of what its certificate went back to, base64url. */
  readonly fingerprint: string;
  /** The id of the invitation that made it a peer. */
  readonly invitation: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Whether it is a peer no more: then it is kept out until it is one again. */
  readonly isRemoved: boolean;
  /** What the audit log has no entry of yet. */
  readonly unaudited: PeerStep | null;
};

type NewPeer = Omit<StoredPeer, "isRemoved">;

/** An invitation, from when it is made until a while after it has expired. Times are milliseconds since 1970. */
export type StoredInvitation = {
  readonly id: string;
  readonly secret: Uint8Array;
  /** The full name of the one node that it is for. */
  readonly peer: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Who has used it; null as long as nobody has. */
  readonly usedBy: string | null;
};

const storedPeer = z.object({
  node: z.string(),
  address: z.string().nullable(),
  anchor: bytes.nullable(),
  fingerprint: z.string(),
  invitation: z.string(),
  since: z.int(),
  isRemoved: flag,
  unaudited: z.enum(["peer.accept", "peer.join", "peer.remove"]).nullable(),
});

const storedInvitation = z.object({
  id: z.string(),
  secret: bytes,
  peer: z.string().nullable(),
  createdAt: z.int(),
  expiresAt: z.int(),
  usedBy: z.string().nullable(),
});

const selectPeer =
  "SELECT node, address, anchor, fingerprint, invitation, since, removed AS isRemoved, unaudited FROM peer";

/** Peers that were added at run time. */
export class PeerTable extends Table {
  all(): readonly StoredPeer[] {
    return this.rows(storedPeer, `${selectPeer} ORDER BY node`);
  }

  get(node: string): StoredPeer | undefined {
    return this.row(storedPeer, `${selectPeer} WHERE node = ?`, node);
  }

  put({ node, address, anchor, fingerprint, invitation, since, unaudited }: NewPeer): void {
    const sql = "INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?, ?, ?, 0, ?)";
    this.run(sql, node, address, anchor, fingerprint, invitation, since, unaudited);
  }

  /** From one step to the next, unless the peer has come to another one meanwhile. */
  setStep(node: string, from: PeerStep | null, to: PeerStep | null): void {
    this.run("UPDATE peer SET unaudited = ? WHERE node = ? AND unaudited IS ?", to, node, from);
  }

  /** Takes what it is believed by along. */
  remove(node: string): void {
    this.run("UPDATE peer SET removed = 1, anchor = NULL, unaudited = 'peer.remove' WHERE node = ?", node);
  }
}

const selectInvitation =
  "SELECT id, secret, peer, created_at AS createdAt, expires_at AS expiresAt, used_by AS usedBy FROM invitation";

/** Invitations. Their secrets go when they have been over for a while. */
export class InvitationTable extends Table {
  all(): readonly StoredInvitation[] {
    return this.rows(storedInvitation, `${selectInvitation} ORDER BY created_at, id`);
  }

  get(id: string): StoredInvitation | undefined {
    return this.row(storedInvitation, `${selectInvitation} WHERE id = ?`, id);
  }

  insert({ id, secret, peer, createdAt, expiresAt }: Omit<StoredInvitation, "usedBy">): void {
    this.run("INSERT INTO invitation VALUES (?, ?, ?, ?, ?, NULL)", id, secret, peer, createdAt, expiresAt);
  }

  /** Whether it is this one who uses it: of those that race, exactly one. */
  use(id: string, usedBy: string, now: number): boolean {
    const sql =
      "UPDATE invitation SET used_by = ? WHERE id = ? AND (used_by IS NULL OR used_by = ?) AND expires_at > ?";
    return this.run(sql, usedBy, id, usedBy, now) === 1;
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    return this.run("DELETE FROM invitation WHERE id = ?", id) === 1;
  }

  /** Nobody comes back by what it was let in with once. */
  removeUsedBy(node: string): void {
    this.run("DELETE FROM invitation WHERE used_by LIKE ? || ' %'", node);
  }

  forget(expiredBy: number): void {
    this.run("DELETE FROM invitation WHERE expires_at <= ?", expiredBy);
  }
}
