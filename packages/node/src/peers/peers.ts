import type { TLSSocket } from "node:tls";
import { parseHostAddress } from "@catalyst/config";
import type { Database } from "@catalyst/durable";
import { formatSpiffeId, invitationProtocol, type TrustDocument } from "@catalyst/identity";
import { createPeering, explainRoute, type OwnEvent, type Peering, type UsablePath } from "@catalyst/peering";
import {
  type Decision,
  type Implementation,
  type orchestratorContract,
  type PeeringState,
  type PeerStatus,
  type RouteTable,
  type RouteView,
  RpcError,
} from "@catalyst/rpc";
import {
  type Admit,
  createSessions,
  insecurePlainTransports,
  type SessionEvents,
  type Sessions,
  systemClock,
  type TlsCredentials,
  tlsTransports,
} from "@catalyst/session";
import { Announcer } from "../announcer.ts";
import type { NodeConfig } from "../options.ts";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import { paths } from "../paths.ts";
import { routeRules } from "../peering-options.ts";
import { KnownNodes } from "./known-nodes.ts";
import { admitAnybody, admitBelieved, controlPlane } from "./peer-admission.ts";
import { fullName, PeerRoster } from "./peer-roster.ts";
import { byService, peerStatuses, routeRows } from "./peer-view.ts";
import { RouteTap } from "./route-tap.ts";

export type PeersParts = {
  readonly config: NodeConfig;
  readonly dataDir: string;
  /** Keeps the peers that are added at run time: the orchestrator's. */
  readonly database: Database;
  readonly sessionEvents: SessionEvents;
  readonly events: Pick<OrchestratorEvents, "invitationRefused" | "peersFailed" | "routesNotKept">;
  /** Is told the full names of services whose routes are others now. */
  readonly onChange: (services: readonly string[]) => void;
  /** Resolves when all that this node has itself since its start was told; soon in any case. */
  readonly ownTold: () => Promise<void>;
  /** Is told that a peer has told all of its routes. */
  readonly onComplete: (peer: string) => void;
  /**
   * Is told what this node's Envoy shows to those of others, and by what it judges them, and which of them it knows, whenever
   * it is looked at.
   */
  readonly onNode: (credentials: TlsCredentials, known: readonly string[]) => void;
};

type Calls = Implementation<typeof orchestratorContract>;
type PeerCall =
  | ("listPeers" | "listRoutes" | "watchRoutes")
  | ("invitePeer" | "joinPeer" | "removePeer" | "listInvitations" | "revokeInvitation");

/** What there is to say of credentials where nobody shows any. */
const plain = { problem: null, fingerprint: null };

/** The sessions of this node with others, and the routes that go over them. */
export class Peers implements AsyncDisposable {
  readonly #config: NodeConfig;
  readonly #node: string;
  readonly #roster: PeerRoster;
  readonly #peering: Peering;
  readonly #tap: RouteTap;
  readonly #sessions: Sessions;
  readonly #onNode: PeersParts["onNode"];
  readonly #met: KnownNodes;
  readonly #news = new Announcer();
  #isClosing = false;

  constructor(parts: PeersParts) {
    const { config, dataDir, database, sessionEvents, events } = parts;
    const { name, domain } = config.node;
    this.#config = config;
    this.#node = `${name}.${domain}`;
    this.#roster = new PeerRoster({
      config,
      dataDir,
      database,
      events,
      listening: () => this.#sessions.snapshot().listening,
      onChange: () => this.identityChanged(),
    });
    this.#onNode = parts.onNode;
    this.#met = new KnownNodes(paths.knownNodes(dataDir), events.routesNotKept);
    this.#peering = peeringOf(parts);
    this.#tap = new RouteTap({ speaker: this.#peering.speaker, node: this.#node, domain });
    const { credentials } = this.#roster;
    const strangers = {
      name: invitationProtocol,
      take: (socket: TLSSocket) => this.#roster.inviter.take(socket),
    };
    this.#sessions = createSessions(
      {
        node: this.#node,
        domain,
        transports: this.#isPlain
          ? insecurePlainTransports()
          : tlsTransports({ credentials: () => credentials.proof(), strangers }),
        protocols: [{ ...controlPlane, open: (channel) => void this.#attach(channel, parts.ownTold) }],
        admit: this.#isPlain ? admitAnybody(domain) : this.#admit(admitBelieved(() => credentials.trust())),
        events: this.#telling(sessionEvents),
      },
      config.mesh.peering.session,
    );
  }

  /** What a peer is told first is all: what it kept of this node, and does not hear of, is gone for it then. */
  async #attach(channel: Parameters<Peering["attach"]>[0], ownTold: PeersParts["ownTold"]): Promise<void> {
    await ownTold();
    await this.#peering.attach(channel);
  }

  get #isPlain(): boolean {
    return this.#config.mesh.peering.insecurePlain;
  }

  /** Begins, when the node's own services are known. */
  async open(): Promise<void> {
    await this.#roster.settle();
    const expected = [...this.#roster.known().keys(), ...this.#met];
    this.#peering.apply({ kind: "expect", peers: expected.filter((node) => !this.#roster.isRemoved(node)) });
    this.identityChanged();
    const { peers } = this.#config.mesh.listen;
    if (peers !== undefined) await this.#sessions.listen(peers);
  }

  /** Whom the organisation believes, as the auth process tells. */
  trustChanged(document: TrustDocument): void {
    this.#roster.credentials.hear(document);
    this.identityChanged();
  }

  /** The node's certificate, or whom it believes, or who its peers are, may be another one. */
  identityChanged(): void {
    const { credentials } = this.#roster;
    this.showNode();
    const isReady = this.#isPlain || credentials.current !== null;
    const dialled = [...this.#roster.known()].flatMap(([node, { address }]) => {
      return address === null ? [] : [{ node, address }];
    });
    this.#sessions.setPeers(isReady ? dialled : []);
    this.#sessions.reconsider();
    this.#news.announce();
  }

  /** Looks anew at what this node shows, and tells Envoy's side. */
  showNode(): void {
    if (this.#isPlain) return;
    this.#roster.credentials.refresh();
    const { envoy } = this.#roster;
    const known = new Set([...this.#roster.known().keys(), ...this.#met]);
    if (envoy !== null) this.#onNode(envoy, [...known]);
  }

  /** The routes of a service by its full name, the best one of each origin, in order of preference. */
  pathsOf(service: string): readonly UsablePath[] {
    return this.#peering.speaker.routes(service);
  }

  /** What happens to the services of this node's own. */
  tell(event: OwnEvent): void {
    this.#peering.apply(event);
  }

  /** Whether somebody hears at once of what is told. */
  get areHeard(): boolean {
    return this.#sessions.snapshot().sessions.some(({ state }) => state === "established");
  }

  /** Says good-bye: peers send nothing more, and what they have is used until the process ends. Says how many heard it. */
  async leave(): Promise<{ peers: number }> {
    const { sessions } = this.#sessions.snapshot();
    this.#peering.keepRoutes();
    await this.#sessions.close("stopped", "the node goes down");
    return { peers: sessions.filter(({ state }) => state === "established").length };
  }

  /** Null for a node that has no peers and takes none. */
  state(): PeeringState | null {
    const { listening, authenticated } = this.#sessions.snapshot();
    const peers = this.list();
    if (listening.length === 0 && peers.length === 0) return null;
    const { problem, fingerprint } = this.#isPlain ? plain : this.#roster.credentials;
    return { node: this.#node, listening: [...listening], authenticated, peers, fingerprint, problem };
  }

  /** Those that are configured or were invited, and those that came by themselves; by name. */
  list(): PeerStatus[] {
    return peerStatuses(this.#roster.known(), this.#sessions.snapshot().sessions, this.#peering.speaker);
  }

  /** What of the orchestrator's interface is about peers. */
  calls(): Pick<Calls, PeerCall> {
    const roster = this.#roster;
    return {
      listPeers: () => this.list(),
      listRoutes: ({ table, peer }) => this.routes(table, peer),
      watchRoutes: (what) => (this.state() === null ? null : this.#tap.watch(what)),
      invitePeer: (asked) => roster.invite(asked),
      joinPeer: async (asked) => {
        const { node, ownFingerprint } = await roster.join(asked);
        return { node, ownFingerprint, peer: await this.#established(node, asked.waitMs) };
      },
      removePeer: ({ peer }) => this.#remove(fullName(peer, this.#config.node.domain)),
      listInvitations: () => roster.inviter.list(),
      revokeInvitation: ({ id }) => roster.inviter.revoke(id),
    };
  }

  /** A table of routes, by service; of one peer alone where it is named. */
  routes(table: RouteTable, peer?: string): RouteView[] {
    const { speaker } = this.#peering;
    const wanted = peer === undefined ? null : fullName(peer, this.#config.node.domain);
    const rows = [...routeRows(speaker, this.#node, table)];
    return rows.filter((row) => wanted === null || row.peer === wanted).sort(byService);
  }

  /** Why the routes of a service are as they are; its name with or without the domain. */
  explain(name: string): Decision {
    const service = name.includes(".") ? name : `${name}.${this.#config.node.domain}`;
    const decision = explainRoute(this.#peering.speaker, service, Math.floor(systemClock.wall() / 1_000));
    return { ...decision, steps: [...decision.steps] };
  }

  /** Answers who watches, and lets nobody wait any more. */
  endWatches(): void {
    this.#tap[Symbol.dispose]();
  }

  /** Who goes down in good order takes its routes along; after a crash peers keep them for a while. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#news.close();
    await this.#sessions.close("stopped", "the node goes down");
    await this.#roster[Symbol.asyncDispose]();
    await this.#peering[Symbol.asyncDispose]();
  }

  /** The routes of a peer that is removed go, also those that are kept for one that is expected back. */
  async #remove(node: string): Promise<{ node: string }> {
    try {
      return await this.#roster.remove(node);
    } finally {
      if (this.#roster.isRemoved(node)) {
        this.#met.forget(node);
        this.showNode();
        this.#peering.apply({ kind: "remove", peer: node });
      }
    }
  }

  /** Resolves when there is a session with the peer, or patience is over. */
  async #established(node: string, waitMs: number): Promise<PeerStatus> {
    const until = performance.now() + waitMs;
    for (;;) {
      const status = this.list().find((each) => each.node === node);
      if (status === undefined) throw new RpcError("peer_unknown", `${node} was removed meanwhile`);
      const leftMs = until - performance.now();
      if (this.#isClosing || leftMs <= 0 || status.state === "established") return status;
      await this.#news.news(leftMs);
    }
  }

  /** Also a node that is believed for its organisation's sake is put out when it is removed. */
  #admit(believed: Admit): Admit {
    return (candidate, protocol) => {
      const { node } = candidate;
      if (!this.#roster.isRemoved(node)) return believed(candidate, protocol);
      return {
        admitted: false,
        reason: `${node} was removed from the peers of this node: it has to be invited`,
      };
    };
  }

  /** Who waits for a session hears of each. */
  #telling(events: SessionEvents): SessionEvents {
    return {
      ...events,
      established: (agreement, remote) => {
        events.established(agreement, remote);
        if (this.#met.meet(agreement.peer.node)) this.showNode();
        this.#news.announce();
      },
    };
  }
}

function peeringOf({ config, onChange, onComplete }: PeersParts): Peering {
  const { name, domain } = config.node;
  const { restartMs, maxRoutes, ...rules } = config.mesh.peering;
  return createPeering(
    { clock: systemClock, onChange, onComplete },
    {
      node: `${name}.${domain}`,
      domain,
      nextHop: nextHopOf(config),
      import: routeRules(rules.import),
      export: routeRules(rules.export),
      restartMs,
      limits: { maxRoutes },
    },
  );
}

/** Where other nodes' Envoys reach this one's; undefined where they do not. */
export function reachedAt({ mesh }: NodeConfig): string | undefined {
  return mesh.peering.advertise ?? mesh.listen.mesh;
}

function nextHopOf(config: NodeConfig) {
  const { node, mesh } = config;
  return {
    ...parseHostAddress(reachedAt(config) ?? mesh.listen.ingress),
    sni: `${node.name}.${node.domain}`,
    spiffeId: formatSpiffeId({ domain: node.domain, node: node.name, process: "envoy" }),
  };
}
