import { randomBytes } from "node:crypto";
import { failpoint } from "@catalyst/durable";
import { formatJoinToken, joinTokenId } from "@catalyst/identity";
import { type authContract, type Implementation, type JoinTokenStatus, RpcError } from "@catalyst/rpc";
import { auditingDenial } from "../../audit/denied-action.ts";
import type { Ledger } from "../../audit/ledger.ts";
import { timeOf } from "../credentials/api-key.ts";
import type { CertificateTable, DenialTable, JoinTokenTable, StoredJoinToken } from "./authority-store.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";

export type JoinTokensParts = {
  readonly domain: string;
  /** The label of this node, which no other one may be given. */
  readonly node: string;
  /** Where the root authority is reached, `host:port`; none as long as it is nowhere. */
  readonly addresses: () => readonly string[];
  readonly table: JoinTokenTable;
  readonly certificates: CertificateTable;
  readonly denials: DenialTable;
  readonly certificateAuthority: CertificateAuthority;
  readonly ledger: Ledger;
  readonly now: () => number;
};

type Calls = Implementation<typeof authContract>;
type Request<Call extends keyof Calls> = Parameters<Calls[Call]>[0];

/** A token that was not used in this time is useless. */
const longestMs = 86_400_000;
const mostTokens = 1_000;

/** The tokens that a machine may join with: spec/enrolment.md §3. What is done is in the audit log before it is answered. */
export class JoinTokens {
  readonly #parts: JoinTokensParts;

  constructor(parts: JoinTokensParts) {
    this.#parts = parts;
  }

  /** Throws RpcError `authority_not_served`, `node_name_taken`, `ttl_too_long` or `busy`. */
  create(asked: Request<"createJoinToken">) {
    const denied = { action: "jointoken.create", target: asked.node };
    return auditingDenial(this.#parts.ledger, denied, () => this.#create(asked));
  }

  /** Those that have not expired, the oldest first. The secrets are in none of it. */
  list(): JoinTokenStatus[] {
    const { table, now } = this.#parts;
    return table.live(now()).map(statusOf);
  }

  /**
   * Takes back a token by its id, or all open ones of a node by its name: on disk before the audit log is written. An
   * entry that failed is made up for when it is taken back again. Throws RpcError `join_token_unknown` or `join_token_used`.
   */
  revoke({ token }: Request<"revokeJoinToken">): Promise<JoinTokenStatus[]> {
    const denied = { action: "jointoken.revoke", target: token };
    return auditingDenial(this.#parts.ledger, denied, () => this.#revoke(token));
  }

  async #create({ node, ttlMs }: Request<"createJoinToken">) {
    const { table, ledger, now, domain, certificateAuthority } = this.#parts;
    const addresses = this.#check(node, ttlMs);
    const secret = Uint8Array.from(randomBytes(16));
    const id = joinTokenId(secret);
    const createdAt = now();
    const expires = Math.floor((createdAt + ttlMs) / 1_000);
    const digest = Uint8Array.from(Buffer.from(certificateAuthority.rootThumbprint(), "base64url"));
    const token = formatJoinToken({ addresses, domain, node, root: digest, secret, expires });
    table.insert({ id, node, secret, createdAt, expiresAt: expires * 1_000 });
    await failpoint("auth.jointoken.kept");
    const reason = `${id} until ${timeOf(expires * 1_000)}`;
    await ledger.act({ action: "jointoken.create", target: node, outcome: "done", reason });
    return { token, id, node, addresses: [...addresses], expiresAt: timeOf(expires * 1_000) };
  }

  async #revoke(idOrNode: string): Promise<JoinTokenStatus[]> {
    const { table, now } = this.#parts;
    const all = table.live(now());
    const named = all.filter(({ id }) => id === idOrNode);
    const meant = named.length > 0 ? named : all.filter(({ node }) => node === idOrNode);
    if (meant.length === 0) {
      const how = "`catalyst token list` shows those there are";
      throw new RpcError("join_token_unknown", `there is no join token ${idOrNode}: ${how}`);
    }
    const open = meant.filter(({ usedBy }) => usedBy === null);
    if (open.length === 0) {
      const { node } = meant[0] ?? { node: idOrNode };
      const how = `if that was somebody else, revoke it with \`catalyst identity revoke ${node}\``;
      throw new RpcError("join_token_used", `${node} has joined with it: ${how}`);
    }
    for (const each of open) await this.#take(each);
    return open
      .map(({ id }) => table.get(id))
      .flatMap((each) => (each === undefined ? [] : [statusOf(each)]));
  }

  async #take({ id, node, revokedAt, isUnaudited }: StoredJoinToken): Promise<void> {
    const { table, ledger, now } = this.#parts;
    if (revokedAt !== null && !isUnaudited) return;
    if (revokedAt === null && !table.revoke(id, now())) {
      throw new RpcError(
        "join_token_used",
        `${node} has joined with ${id} just now: revoke the node instead`,
      );
    }
    await failpoint("auth.jointoken.revoked");
    await ledger.act({ action: "jointoken.revoke", target: node, outcome: "done", reason: id });
    table.audited(id);
  }

  #check(node: string, ttlMs: number): readonly string[] {
    const { table, certificates, addresses, now, denials } = this.#parts;
    const reached = addresses();
    if (reached.length === 0) {
      const how =
        "give auth.authority.listen, such as 192.0.2.1:10002; where that is every address, give auth.authority.addresses too";
      throw new RpcError("authority_not_served", `no other node can reach this one's root authority: ${how}`);
    }
    const isAlive = certificates.ofNode(node, now()).length > 0 && denials.get(node, null) === undefined;
    if (node === this.#parts.node || isAlive) {
      const how = "choose another name, or revoke that one first with `catalyst identity revoke`";
      throw new RpcError("node_name_taken", `there is a node ${node} already: ${how}`);
    }
    if (ttlMs > longestMs) {
      throw new RpcError("ttl_too_long", "a join token is good for a day at most: ask for less");
    }
    table.forget(now());
    if (table.count() >= mostTokens) {
      throw new RpcError("busy", `${mostTokens} join tokens have not expired yet: wait for some to expire`);
    }
    return reached;
  }
}

function statusOf({ id, node, createdAt, expiresAt, usedBy, revokedAt }: StoredJoinToken): JoinTokenStatus {
  const state = revokedAt !== null ? "revoked" : usedBy !== null ? "used" : "open";
  return { id, node, state, createdAt: timeOf(createdAt), expiresAt: timeOf(expiresAt) };
}
