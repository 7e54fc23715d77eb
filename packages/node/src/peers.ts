import { parseHostAddress, showAddress } from "@catalyst/config";
import { admit, nodeNameOf, type PeerTrust, peerTrustOf, type TrustDocument } from "@catalyst/identity";
import {
  advertisedRoutes,
  createPeering,
  explainRoute,
  type OwnRoute,
  type Peering,
  receivedRoutes,
  viewPeers,
} from "@catalyst/peering";
import type {
  Decision,
  PeeringState,
  PeerStatus,
  RouteEvents,
  RouteTable,
  RouteView,
  RouteWatch,
} from "@catalyst/rpc";
import {
  type Admit,
  createSessions,
  insecurePlainTransports,
  type SessionAdmission,
  type SessionEvents,
  type SessionSnapshot,
  type Sessions,
  systemClock,
  type TlsCredentials,
  tlsTransports,
} from "@catalyst/session";
import { NodeError } from "./errors.ts";
import type { NodeConfig } from "./options.ts";
import { OwnIdentity } from "./own-identity.ts";
import { routeRules } from "./peering-options.ts";
import { RouteTap } from "./route-tap.ts";
import type { ServiceChange } from "./service-table.ts";

export type PeersParts = {
  readonly config: NodeConfig;
  readonly dataDir: string;
  readonly events: SessionEvents;
  /** Is told the full names of services whose routes are others now. */
  readonly onChange: (services: readonly string[]) => void;
};

/** What may be said on a session: spec/peering.md. */
const controlPlane = { name: "cp", versions: [1] } as const;

/** The sessions of this node with others, and the routes that go over them. */
export class Peers implements AsyncDisposable {
  readonly #config: NodeConfig;
  readonly #node: string;
  readonly #own: OwnIdentity;
  readonly #peering: Peering;
  readonly #tap: RouteTap;
  readonly #sessions: Sessions;
  readonly #configured: ReadonlyMap<string, string>;
  #heard: PeerTrust | null = null;
  #credentials: TlsCredentials | null = null;
  #problem: string | null = null;

  private constructor({ config, dataDir, events, onChange }: PeersParts) {
    const { name, domain } = config.node;
    this.#config = config;
    this.#node = `${name}.${domain}`;
    this.#own = new OwnIdentity(config, dataDir);
    this.#configured = new Map(
      config.mesh.peers.map((peer) => [fullName(peer.name, domain), peer.address] as const),
    );
    this.#peering = createPeering(
      { clock: systemClock, onChange },
      {
        node: this.#node,
        domain,
        nextHop: nextHopOf(config),
        import: routeRules(config.mesh.peering.import),
        export: routeRules(config.mesh.peering.export),
        restartMs: config.mesh.peering.restartMs,
        limits: { maxRoutes: config.mesh.peering.maxRoutes },
      },
    );
    this.#tap = new RouteTap({ speaker: this.#peering.speaker, node: this.#node, domain });
    const plain = config.mesh.peering.insecurePlain;
    this.#sessions = createSessions(
      {
        node: this.#node,
        domain,
        transports: plain ? insecurePlainTransports() : tlsTransports({ credentials: () => this.#proof() }),
        protocols: [{ ...controlPlane, open: (channel) => void this.#peering.attach(channel) }],
        admit: plain ? admitAnybody(domain) : this.#admit,
        events,
      },
      config.mesh.peering.session,
    );
  }

  /**
   * Of a node that opens sessions with the peers of its configuration, or takes those that come. Null for one that does
   * neither.
   */
  static create(parts: PeersParts): Peers | null {
    const { listen, peers } = parts.config.mesh;
    return listen.peers === undefined && peers.length === 0 ? null : new Peers(parts);
  }

  /** Begins, when the node's own services are known. */
  async open(): Promise<void> {
    this.identityChanged();
    const { peers } = this.#config.mesh.listen;
    if (peers !== undefined) await this.#sessions.listen(peers);
  }

  /** Whom the organisation believes, as the auth process tells. */
  trustChanged(document: TrustDocument): void {
    this.#heard = peerTrustOf(document);
    this.identityChanged();
  }

  /** The node's certificate, or whom it believes, may be another one. */
  identityChanged(): void {
    try {
      this.#credentials = this.#config.mesh.peering.insecurePlain ? null : this.#readCredentials();
      this.#problem = null;
    } catch (error) {
      // What was in force stays so.
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    const ready = this.#credentials !== null || this.#config.mesh.peering.insecurePlain;
    const dialled = [...this.#configured].map(([node, address]) => ({ node, address }));
    this.#sessions.setPeers(ready ? dialled : []);
    this.#sessions.reconsider();
  }

  /** A service of this node's own was put or removed. */
  serviceChanged(change: ServiceChange): void {
    const { domain } = this.#config.node;
    if (change.kind === "remove") {
      this.#peering.apply({ kind: "withdraw", service: `${change.name}.${domain}` });
      return;
    }
    const { service, lease } = change.entry;
    const route: OwnRoute = { service: `${service.name}.${domain}`, protocol: service.protocol };
    this.#peering.apply({ kind: "originate", route });
    this.#peering.apply({ kind: "health", service: route.service, healthy: lease?.healthy !== false });
  }

  state(): PeeringState {
    const { listening, authenticated } = this.#sessions.snapshot();
    const peers = this.list();
    return { node: this.#node, listening: [...listening], authenticated, peers, problem: this.#problem };
  }

  /** Those that are configured, and those that came by themselves; by name. */
  list(): PeerStatus[] {
    const views = new Map(viewPeers(this.#peering.speaker).map((view) => [view.node, view] as const));
    const { sessions } = this.#sessions.snapshot();
    const named = new Map<string, SessionSnapshot>();
    const unnamed: SessionSnapshot[] = [];
    for (const session of sessions) {
      if (session.node === null) unnamed.push(session);
      else if (named.get(session.node)?.state !== "established") named.set(session.node, session);
    }
    const nodes = [...new Set([...this.#configured.keys(), ...named.keys(), ...views.keys()])].sort();
    return [
      ...nodes.map((node) => {
        const view = views.get(node);
        const routes = { received: view?.received ?? 0, advertised: view?.advertised ?? 0 };
        return this.#status(node, named.get(node), routes);
      }),
      ...unnamed.map((session) => this.#status(null, session, { received: 0, advertised: 0 })),
    ];
  }

  /** A table of routes, by service; of one peer alone where it is named. */
  routes(table: RouteTable, peer?: string): RouteView[] {
    const { speaker } = this.#peering;
    const wanted = peer === undefined ? null : fullName(peer, this.#config.node.domain);
    const all = [...this.#rows(table)].filter((row) => wanted === null || row.peer === wanted);
    const known = wanted === null || speaker.peers.has(wanted) || this.#configured.has(wanted);
    return known ? all.sort(byService) : [];
  }

  /** Why the routes of a service are as they are; its name with or without the domain. */
  explain(name: string): Decision {
    const service = name.includes(".") ? name : `${name}.${this.#config.node.domain}`;
    const decision = explainRoute(this.#peering.speaker, service, Math.floor(systemClock.wall() / 1_000));
    return { ...decision, steps: [...decision.steps] };
  }

  /** What happens to routes and sessions, as it does. Rejects with {@link RpcError} `busy`. */
  watch(what: RouteWatch): Promise<RouteEvents> {
    return this.#tap.watch(what);
  }

  /** Answers who watches, and lets nobody wait any more. */
  endWatches(): void {
    this.#tap[Symbol.dispose]();
  }

  /** Who goes down in good order takes its routes along; after a crash peers keep them for a while. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.close("stopped", "the node goes down");
    await this.#peering[Symbol.asyncDispose]();
  }

  *#rows(table: RouteTable): Generator<RouteView> {
    const { speaker } = this.#peering;
    if (table === "advertised") {
      for (const { service, peer, sent, healthy } of advertisedRoutes(speaker)) {
        yield { ...rowOf(service, sent), peer, healthy, stale: false, rule: null };
      }
      return;
    }
    if (table === "best") {
      for (const service of speaker.services()) {
        for (const { source, received, verdict, healthy } of speaker.routes(service)) {
          const peer = source.node === this.#node ? null : source.node;
          const labels = Object.fromEntries(verdict.attributes.labels);
          const row = rowOf(service, { ...verdict.attributes, origin: received.origin, labels });
          yield { ...row, peer, healthy, stale: false, rule: verdict.rule };
        }
      }
      return;
    }
    for (const { service, peer, received, accepted, rule, healthy, stale } of receivedRoutes(speaker)) {
      if (table === "rejected" && accepted) continue;
      yield { ...rowOf(service, received), peer, healthy, stale, rule };
    }
  }

  #status(
    node: string | null,
    session: SessionSnapshot | undefined,
    routes: { readonly received: number; readonly advertised: number },
  ): PeerStatus {
    const address = session?.remote ?? (node === null ? null : (this.#configured.get(node) ?? null));
    const end = session?.lastEnd ?? null;
    return {
      node,
      address,
      configured: node !== null && this.#configured.has(node),
      state: session?.state ?? "idle",
      establishedMs: session?.establishedMs ?? null,
      retryInMs: session?.retryInMs ?? null,
      attempts: session?.attempts ?? 0,
      authenticated: session?.peer?.authenticated ?? null,
      clockSkewMs: session?.peer?.clockSkewMs ?? null,
      certificateNotAfter: isoOf(session?.certificateNotAfter ?? null),
      ...routes,
      lastEnd: end === null ? null : { ...lastWords(end), at: new Date(end.at).toISOString() },
    };
  }

  #readCredentials(): TlsCredentials {
    const identity = this.#own.process("orchestrator");
    const trust = this.#trust();
    if (identity === null || trust === null) {
      throw new NodeError(
        "certificate_invalid",
        "this node has no certificate yet: its auth process gives it one",
      );
    }
    const { certificateChain, privateKey } = identity;
    return { certificateChain, privateKey, trust };
  }

  /** What is configured or was kept, and what was heard since. */
  #trust(): PeerTrust | null {
    const [own, heard] = [this.#own.trust(), this.#heard];
    if (own === null || heard === null) return own ?? heard;
    return { roots: [...own.roots, ...heard.roots], pinned: own.pinned, denied: heard.denied };
  }

  #proof(): TlsCredentials {
    const credentials = this.#credentials;
    if (credentials === null)
      throw new NodeError("certificate_invalid", this.#problem ?? "there is no certificate");
    return credentials;
  }

  readonly #admit: Admit = ({ node, domain, certificate, purpose }, protocol) => {
    const trust: PeerTrust = this.#credentials?.trust ?? { roots: [], pinned: [], denied: [] };
    const unspoken = unspokenIn(purpose, protocol);
    if (unspoken !== null) return unspoken;
    const admission = admit({ certificate, protocol: "cp", now: systemClock.wall() }, trust);
    if (admission.kind === "refused") return { admitted: false, reason: admission.text };
    const named = nodeNameOf(admission.id);
    if (named !== node || admission.id.domain !== domain) {
      return { admitted: false, reason: `its certificate is that of ${named}, and it says to be ${node}` };
    }
    return { admitted: true };
  };
}

/** Without proof there is one thing left to look at: that a peer says to be of the same organisation. */
function admitAnybody(own: string): Admit {
  return ({ domain, purpose }, protocol) => {
    if (domain === own) return unspokenIn(purpose, protocol) ?? { admitted: true };
    return { admitted: false, reason: `without proof nobody but ${own} is let in, and it says ${domain}` };
  };
}

/** Routes are exchanged in one session with each peer: in another one they would take the place of the first. */
function unspokenIn(purpose: string, protocol: string): SessionAdmission | null {
  if (protocol === controlPlane.name && purpose === "control") return null;
  return { admitted: false, reason: `${protocol} is not spoken in sessions of the purpose ${purpose}` };
}

function fullName(name: string, domain: string): string {
  return name.includes(".") ? name : `${name}.${domain}`;
}

function nextHopOf({ node, mesh }: NodeConfig) {
  return {
    ...parseHostAddress(mesh.peering.advertise ?? mesh.listen.ingress),
    sni: `${node.name}.${node.domain}`,
    spiffeId: `spiffe://${node.domain}/node/${node.name}/envoy`,
  };
}

type Shown = {
  readonly origin: string;
  readonly protocol: string;
  readonly nextHop: { readonly host: string; readonly port: number };
  readonly nodePath: readonly string[];
  readonly localPref: number;
  readonly metric: number;
  readonly labels: Readonly<Record<string, string>>;
};

function rowOf(service: string, route: Shown) {
  const { origin, protocol, nextHop, nodePath, localPref, metric, labels } = route;
  const where = { nextHop: showAddress(nextHop), nodePath: [...nodePath] };
  return { service, origin, protocol, ...where, localPref, metric, labels: { ...labels } };
}

function byService(a: RouteView, b: RouteView): number {
  if (a.service !== b.service) return a.service < b.service ? -1 : 1;
  return (a.peer ?? "") < (b.peer ?? "") ? -1 : 1;
}

function lastWords({ reason }: NonNullable<SessionSnapshot["lastEnd"]>) {
  return { code: reason.code, text: reason.text, by: reason.by };
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
