import { randomBytes } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { isAnyAddress, isHostAddress, parseHostAddress } from "@catalyst/config";
import { failpoint } from "@catalyst/durable";
import {
  chainOf,
  exporterOf,
  formatInvitation,
  IdentityError,
  type IntroducedPeer,
  type InvitationRefusal,
  type InvitationRefusalCode,
  invitationId,
  type JoinRequest,
  judgeJoin,
  nodeNameOf,
  refusal,
  thumbprintOf,
  userOf,
} from "@catalyst/identity";
import { type Implementation, type orchestratorContract, type PeerInvitation, RpcError } from "@catalyst/rpc";
import { type Allowance, Ration } from "../ration.ts";
import type { PeerAudit } from "./peer-audit.ts";
import type { PeerBook } from "./peer-book.ts";
import type { PeerCredentials } from "./peer-credentials.ts";
import { PeerExchange } from "./peer-exchange.ts";
import type { InvitationTable } from "./peer-store.ts";

export type PeerInviterParts = {
  readonly own: { readonly domain: string; readonly node: string };
  readonly credentials: PeerCredentials;
  readonly invitations: InvitationTable;
  readonly book: PeerBook;
  readonly audit: PeerAudit;
  /** Where this node takes sessions. */
  readonly listening: () => readonly string[];
  readonly isConfigured: (node: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Somebody was refused, by the code of spec/invitation.md §6. */
  readonly onRefused: (code: InvitationRefusalCode, peer: string) => void;
  readonly onFailure: (error: unknown) => void;
};

type Calls = Implementation<typeof orchestratorContract>;

const longestMs = 86_400_000;
const mostInvitations = 100;
/** How long it is remembered that an invitation has expired, or was used. */
const lingerMs = 3_600_000;
/** All that one connection may take. */
const patienceMs = 10_000;
/** Nobody fills the disk by being refused; all refusals are counted. */
const auditedRefusals: Allowance = { most: 10, inMs: 60_000 };

/** What was shown in a handshake, and the exporter of its connection. */
type Met = { readonly chain: readonly Uint8Array[]; readonly binding: Uint8Array };

/** Makes invitations, and lets those in who have one: spec/invitation.md §3. */
export class PeerInviter implements AsyncDisposable {
  readonly #parts: PeerInviterParts;
  readonly #running = new Set<Promise<void>>();
  readonly #ration = new Ration();

  constructor(parts: PeerInviterParts) {
    this.#parts = parts;
  }

  /** Throws RpcError `peers_not_served`, `ttl_too_long`, `busy` or `evidence_failed`. */
  async invite({ peer: named, ttlMs, addresses }: Parameters<Calls["invitePeer"]>[0]) {
    const peer = named ?? null;
    const { own, credentials, invitations, audit, now } = this.#parts;
    const reached = this.#addresses(addresses);
    const { anchor } = credentials.shown();
    this.#checkRoom(ttlMs);
    const secret = Uint8Array.from(randomBytes(16));
    const id = invitationId(secret);
    const createdAt = now();
    const expires = Math.floor((createdAt + ttlMs) / 1_000);
    const expiresAt = new Date(expires * 1_000).toISOString();
    const fingerprint = thumbprintOf(anchor);
    const pin = Uint8Array.from(Buffer.from(fingerprint, "base64url"));
    const token = formatInvitation({ addresses: reached, ...own, peer, anchor: pin, secret, expires });
    invitations.insert({ id, secret, peer, createdAt, expiresAt: expires * 1_000 });
    await failpoint("peer.invite.kept");
    const target = peer ?? "whoever has it";
    await audit.act({ action: "peer.invite", target, outcome: "done", reason: `${id} until ${expiresAt}` });
    return { token, id, node: nodeNameOf(own), peer, fingerprint, addresses: [...reached], expiresAt };
  }

  /** Those that were made and are remembered, the oldest first. */
  list(): PeerInvitation[] {
    const { invitations, now } = this.#parts;
    invitations.forget(now() - lingerMs);
    return invitations.all().map(({ id, peer, createdAt, expiresAt, usedBy }) => ({
      id,
      peer,
      createdAt: new Date(createdAt).toISOString(),
      expiresAt: new Date(expiresAt).toISOString(),
      usedBy: usedBy?.split(" ")[0] ?? null,
      state: usedBy !== null ? "used" : expiresAt <= now() ? "expired" : "open",
    }));
  }

  /** Takes an invitation back; who has used it stays a peer. Throws RpcError `invitation_unknown` or `evidence_failed`. */
  async revoke(id: string): Promise<{ id: string }> {
    const { invitations, audit } = this.#parts;
    if (!invitations.remove(id)) {
      const how = "`catalyst peer invitation list` shows those there are";
      throw new RpcError("invitation_unknown", `there is no invitation ${id}: ${how}`);
    }
    await audit.act({ action: "invitation.revoke", target: id, outcome: "done" });
    return { id };
  }

  /** Takes a connection of the protocol of invitations; it is over within ten seconds. */
  take(socket: TLSSocket): void {
    const running = this.#converse(new PeerExchange(socket, 1, patienceMs)).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running);
  }

  async #converse(exchange: PeerExchange): Promise<void> {
    try {
      const { anchor } = this.#parts.credentials.shown();
      const { socket } = exchange;
      const met = { chain: chainOf(socket), binding: exporterOf(socket) };
      exchange.send({ kind: "hello", anchor });
      const verdict = await this.#judge(await exchange.receive("join"), met);
      if ("code" in verdict) exchange.end(verdict);
      else exchange.end({ kind: "accepted", peer: verdict.node });
    } catch (error) {
      if (error instanceof RpcError && error.code === "peer_unreachable") exchange[Symbol.dispose]();
      else if (error instanceof IdentityError && error.code === "message_malformed") {
        exchange.end(refusal("message_malformed"));
      } else {
        this.#parts.onFailure(error);
        exchange.end(refusal("failed"));
      }
    }
  }

  async #judge(request: JoinRequest, met: Met): Promise<IntroducedPeer | InvitationRefusal> {
    const { credentials, invitations, book, isConfigured, own, now } = this.#parts;
    invitations.forget(now() - lingerMs);
    const { invitation } = request;
    const record = invitations.get(invitation);
    const believed = credentials.trust();
    const verdict = judgeJoin({ request, record, ...met, believed, own, now: now() });
    if ("code" in verdict) return this.#refuse(verdict, invitation, record?.peer ?? null);
    const { node } = verdict;
    if (isConfigured(node)) return this.#refuse(refusal("peer_configured"), invitation, node);
    if (await book.accept({ peer: verdict, invitation }, userOf(verdict))) return verdict;
    return this.#refuse(refusal("invitation_used"), invitation, node);
  }

  async #refuse(
    said: InvitationRefusal,
    invitation: string,
    peer: string | null,
  ): Promise<InvitationRefusal> {
    const { audit, now, onRefused } = this.#parts;
    onRefused(said.code, peer ?? "unknown");
    const kind = said.code === "invitation_unknown" ? "strangers" : "others";
    if (!this.#ration.takes(kind, auditedRefusals, now())) return said;
    const reason = `${said.code} by invitation ${invitation}`;
    await audit.act({ action: "peer.accept", target: peer ?? "unknown", outcome: "denied", reason });
    return said;
  }

  #addresses(given: readonly string[]): readonly string[] {
    const listening = this.#parts.listening();
    if (listening.length === 0) {
      const how = "give `mesh.listen.peers`, such as 192.0.2.1:7400; or have the other node invite this one";
      throw new RpcError("peers_not_served", `no other node can open a session with this one: ${how}`);
    }
    const odd = given.find((address) => !isHostAddress(address));
    if (odd !== undefined) {
      throw new RpcError("invalid_request", `${odd} is no address such as n1.example:7400, in lower case`);
    }
    if (given.length > 0) return given;
    const reachable = listening.filter((address) => !isAnyAddress(parseHostAddress(address)));
    if (reachable.length > 0) return reachable;
    const how = "say with --address which one others reach it at";
    throw new RpcError(
      "peers_not_served",
      `this node takes sessions at every address of its machine: ${how}`,
    );
  }

  #checkRoom(ttlMs: number): void {
    const { invitations, now } = this.#parts;
    if (ttlMs > longestMs) {
      throw new RpcError("ttl_too_long", "an invitation is good for a day at most: ask for less");
    }
    invitations.forget(now() - lingerMs);
    if (invitations.all().length < mostInvitations) return;
    throw new RpcError(
      "busy",
      `${mostInvitations} invitations are remembered: take some back with \`catalyst peer invitation revoke\`, or wait`,
    );
  }
}
