import type { Database, SqlRow, Statement } from "@catalyst/durable";
import { z } from "zod";

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

const bytes = z.instanceof(Uint8Array);

const storedPeer = z
  .object({
    node: z.string(),
    address: z.string().nullable(),
    anchor: bytes.nullable(),
    fingerprint: z.string(),
    invitation: z.string(),
    since: z.int(),
    removed: z.int(),
    unaudited: z.enum(["peer.accept", "peer.join", "peer.remove"]).nullable(),
  })
  .transform(({ removed, ...rest }): StoredPeer => ({ ...rest, isRemoved: removed === 1 }));

const storedInvitation = z
  .object({
    id: z.string(),
    secret: bytes,
    peer: z.string().nullable(),
    created_at: z.int(),
    expires_at: z.int(),
    used_by: z.string().nullable(),
  })
  .transform(
    ({ created_at: createdAt, expires_at: expiresAt, used_by: usedBy, ...rest }): StoredInvitation => {
      return { ...rest, createdAt, expiresAt, usedBy };
    },
  );

/** Peers that were added at run time. */
export class PeerTable {
  readonly #all: Statement<StoredPeer>;
  readonly #get: Statement<StoredPeer>;
  readonly #put: Statement<SqlRow>;
  readonly #step: Statement<SqlRow>;
  readonly #remove: Statement<SqlRow>;

  constructor(database: Database) {
    const read = (row: SqlRow) => storedPeer.parse(row);
    this.#all = database.prepare("SELECT * FROM peer ORDER BY node", read);
    this.#get = database.prepare("SELECT * FROM peer WHERE node = ?", read);
    this.#put = database.prepare("INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?, ?, ?, 0, ?)");
    this.#step = database.prepare("UPDATE peer SET unaudited = ? WHERE node = ? AND unaudited IS ?");
    this.#remove = database.prepare(
      "UPDATE peer SET removed = 1, anchor = NULL, unaudited = 'peer.remove' WHERE node = ?",
    );
  }

  all(): readonly StoredPeer[] {
    return this.#all.all();
  }

  get(node: string): StoredPeer | undefined {
    return this.#get.get(node);
  }

  put({ node, address, anchor, fingerprint, invitation, since, unaudited }: NewPeer): void {
    this.#put.run(node, address, anchor, fingerprint, invitation, since, unaudited);
  }

  /** From one step to the next, unless the peer has come to another one meanwhile. */
  setStep(node: string, from: PeerStep | null, to: PeerStep | null): void {
    this.#step.run(to, node, from);
  }

  /** Takes what it is believed by along. */
  remove(node: string): void {
    this.#remove.run(node);
  }
}

/** Invitations. Their secrets go when they have been over for a while. */
export class InvitationTable {
  readonly #all: Statement<StoredInvitation>;
  readonly #get: Statement<StoredInvitation>;
  readonly #put: Statement<SqlRow>;
  readonly #use: Statement<SqlRow>;
  readonly #miss: Statement<number>;
  readonly #remove: Statement<SqlRow>;
  readonly #removeUsedBy: Statement<SqlRow>;
  readonly #forget: Statement<SqlRow>;

  constructor(database: Database) {
    const columns = "id, secret, peer, created_at, expires_at, used_by";
    const select = (rest: string) =>
      database.prepare(`SELECT ${columns} FROM invitation ${rest}`, (row) => storedInvitation.parse(row));
    this.#all = select("ORDER BY created_at, id");
    this.#get = select("WHERE id = ?");
    this.#put = database.prepare(`INSERT INTO invitation (${columns}) VALUES (?, ?, ?, ?, ?, NULL)`);
    this.#use = database.prepare(
      "UPDATE invitation SET used_by = ? WHERE id = ? AND (used_by IS NULL OR used_by = ?) AND expires_at > ?",
    );
    this.#miss = database.prepare(
      "UPDATE invitation SET wrong_proofs = wrong_proofs + 1 WHERE id = ? RETURNING wrong_proofs AS value",
      ({ value }) => Number(value),
    );
    this.#remove = database.prepare("DELETE FROM invitation WHERE id = ?");
    this.#removeUsedBy = database.prepare("DELETE FROM invitation WHERE used_by LIKE ? || ' %'");
    this.#forget = database.prepare("DELETE FROM invitation WHERE expires_at <= ?");
  }

  all(): readonly StoredInvitation[] {
    return this.#all.all();
  }

  get(id: string): StoredInvitation | undefined {
    return this.#get.get(id);
  }

  insert({ id, secret, peer, createdAt, expiresAt }: Omit<StoredInvitation, "usedBy">): void {
    this.#put.run(id, secret, peer, createdAt, expiresAt);
  }

  /** Whether it is this one who uses it: of those that race, exactly one. */
  use(id: string, usedBy: string, now: number): boolean {
    return this.#use.run(usedBy, id, usedBy, now) === 1;
  }

  /** Counts a proof that was none; returns how many there were. */
  miss(id: string): number {
    return this.#miss.get(id) ?? 0;
  }

  /** Whether there was one. */
  remove(id: string): boolean {
    return this.#remove.run(id) === 1;
  }

  /** Nobody comes back by what it was let in with once. */
  removeUsedBy(node: string): void {
    this.#removeUsedBy.run(node);
  }

  forget(expiredBy: number): void {
    this.#forget.run(expiredBy);
  }
}
