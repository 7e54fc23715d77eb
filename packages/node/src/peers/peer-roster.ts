import type { Database } from "@catalyst/durable";
import {
  IdentityError,
  type Invitation,
  invitationId,
  nodeNameOf,
  parseInvitation,
  refusal,
  thumbprintOf,
} from "@catalyst/identity";
import { type Implementation, type orchestratorContract, RpcError } from "@catalyst/rpc";
import type { TlsCredentials } from "@catalyst/session";
import { OwnIdentity } from "../identity/own-identity.ts";
import type { NodeConfig } from "../options.ts";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import { paths } from "../paths.ts";
import { PeerAudit } from "./peer-audit.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerCredentials } from "./peer-credentials.ts";
import { PeerInviter } from "./peer-inviter.ts";
import { useInvitation } from "./peer-joiner.ts";
import { InvitationTable } from "./peer-store.ts";
import type { KnownPeer } from "./peer-view.ts";

export type PeerRosterParts = {
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly database: Database;
  readonly events: Pick<OrchestratorEvents, "invitationRefused" | "peersFailed">;
  /** Where this node takes sessions. */
  readonly listening: () => readonly string[];
  /** There are other peers than before, or they are believed by something else. */
  readonly onChange: () => void;
};

type Calls = Implementation<typeof orchestratorContract>;

/** Who the peers of this node are, and by what they are believed: the configuration's, and those by invitation. */
export class PeerRoster implements AsyncDisposable {
  readonly credentials: PeerCredentials;
  /** Lists and takes back invitations, and lets those in who have one; they are made by {@link invite}. */
  readonly inviter: Omit<PeerInviter, "invite">;
  readonly #config: NodeConfig;
  readonly #configured: ReadonlyMap<string, string>;
  readonly #audit: PeerAudit;
  readonly #book: PeerBook;
  readonly #inviter: PeerInviter;
  readonly #events: PeerRosterParts["events"];

  constructor({ config, dataDir, database, events, listening, onChange }: PeerRosterParts) {
    const { name, domain } = config.node;
    this.#config = config;
    this.#events = events;
    this.#configured = new Map(config.mesh.peers.map((peer) => [fullName(peer.name, domain), peer.address]));
    this.#audit = new PeerAudit({
      issuer: `${name}.${domain}`,
      keysFolder: paths.keys(dataDir),
      passphraseFile: config.auth.passphraseFile,
      auditFolder: paths.audit(dataDir, "orchestrator"),
    });
    const invitations = new InvitationTable(database);
    const shared = { invitations, audit: this.#audit, now: Date.now };
    this.#book = new PeerBook({ ...shared, database, domain, onChange });
    this.credentials = new PeerCredentials({
      own: new OwnIdentity(config, dataDir),
      anchors: () => this.#book.anchors(),
    });
    this.#inviter = new PeerInviter({
      ...shared,
      own: { node: name, domain },
      credentials: this.credentials,
      book: this.#book,
      listening,
      isConfigured: (node) => this.#configured.has(node),
      onRefused: events.invitationRefused,
      onFailure: events.peersFailed,
    });
    this.inviter = this.#inviter;
  }

  /** Finishes what was cut off. What cannot be written down stays out of force, and is tried again at the next start. */
  async settle(): Promise<void> {
    await this.#book.settle().catch(this.#events.peersFailed);
  }

  /** By their full names. Where the configuration has a peer, it decides. */
  known(): ReadonlyMap<string, KnownPeer> {
    const invited = this.#book.all().map(({ node, address, fingerprint }) => {
      return [node, { origin: "invitation", address, fingerprint }] as const;
    });
    const configured = Array.from(this.#configured, ([node, address]) => {
      return [node, { origin: "configuration", address, fingerprint: null }] as const;
    });
    return new Map<string, KnownPeer>([...invited, ...configured]);
  }

  /** Throws RpcError `peers_not_served`, `ttl_too_long`, `busy`, `invalid_request` or `evidence_failed`. */
  invite(asked: Parameters<Calls["invitePeer"]>[0]) {
    this.#refusePlain();
    return this.#inviter.invite(asked);
  }

  /**
   * Becomes a peer of whoever made an invitation. Throws RpcError `invitation_refused`, `peer_unreachable`,
   * `peers_not_served`, `peer_configured`, `invalid_request` or `evidence_failed`.
   */
  async join({ token, peer: named }: Pick<Parameters<Calls["joinPeer"]>[0], "token" | "peer">) {
    this.#refusePlain();
    const invitation = readInvitation(token);
    const node = nodeNameOf(invitation);
    if (named !== undefined && named !== node) {
      const { text, code } = refusal("invitation_other_node", `${node} made it, and not ${named}`);
      throw new RpcError("invitation_refused", `${text} (${code})`);
    }
    this.#refuseConfigured(node);
    const { name, domain } = this.#config.node;
    const shown = this.credentials.shown();
    const believed = this.credentials.trust();
    const own = { node: name, domain };
    const about = { own, shown, believed, isNamed: named !== undefined, now: Date.now() };
    const { peer, address } = await inTerms(() => useInvitation(invitation, about));
    await this.#book.join({ peer, address, invitation: invitationId(invitation.secret) });
    return { node, ownFingerprint: thumbprintOf(shown.anchor) };
  }

  /** Throws RpcError `peer_configured`, `peer_unknown` or `evidence_failed`. */
  async remove(node: string): Promise<{ node: string }> {
    this.#refuseConfigured(node);
    const peer = this.#book.get(node);
    if (peer === undefined) {
      const others =
        "one of another organisation goes by its full name, a node of this one with `catalyst identity revoke` at the root";
      throw new RpcError(
        "peer_unknown",
        `no peer ${node} was invited: see \`catalyst peer list\`; ${others}`,
      );
    }
    await this.#book.remove(peer);
    return { node };
  }

  /** Whether it was removed, and not added again since. */
  isRemoved(node: string): boolean {
    return !this.#configured.has(node) && this.#book.isRemoved(node);
  }

  /**
   * What this node's Envoy shows to those of others, and by what it judges them. Who was removed brings no requests either,
   * also where its organisation is believed for others' sake.
   */
  get envoy(): TlsCredentials | null {
    const { envoy } = this.credentials;
    if (envoy === null) return null;
    const removed = this.#book.removed().filter((each) => !this.#configured.has(nodeNameOf(each)));
    const { trust } = envoy;
    return { ...envoy, trust: { ...trust, denied: [...trust.denied, ...removed] } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inviter[Symbol.asyncDispose]();
    await this.#audit[Symbol.asyncDispose]();
  }

  #refusePlain(): void {
    if (!this.#config.mesh.peering.insecurePlain) return;
    const why = "sessions of this node are plain, and nobody proves anything in them";
    throw new RpcError("peers_not_served", `${why}: take \`mesh.peering.insecurePlain\` out first`);
  }

  #refuseConfigured(node: string): void {
    if (!this.#configured.has(node)) return;
    throw new RpcError(
      "peer_configured",
      `${node} is in the configuration of this node: take it out of \`mesh.peers\` there, and start the node anew`,
    );
  }
}

/** A node's name with its domain, which may be left out inside of one's own. */
export function fullName(name: string, domain: string): string {
  return name.includes(".") ? name : `${name}.${domain}`;
}

function readInvitation(token: string): Invitation {
  try {
    return parseInvitation(token.trim());
  } catch (error) {
    throw termsOf(error);
  }
}

async function inTerms<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw termsOf(error);
  }
}

function termsOf(error: unknown): unknown {
  if (!(error instanceof IdentityError)) return error;
  const code = error.code === "invitation_malformed" ? "invalid_request" : "invitation_refused";
  return new RpcError(code, `${error.message} (${error.code})`, { cause: error });
}
