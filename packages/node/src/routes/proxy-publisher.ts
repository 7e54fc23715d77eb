import { renameSync } from "node:fs";
import { DurableError } from "@catalyst/durable";
import {
  type CredentialRules,
  compileCredentials,
  compileMeshListener,
  compileNodeIdentity,
  compileNodeTrust,
  compileSecret,
  compileTrust,
  compileWayOut,
  defaultTlsSecret,
  type KeyPair,
  type MeshInput,
  MeshTranslation,
  type NodeTrust,
  type TranslationPlan,
} from "@catalyst/envoy";
import type { ProxyStatus, QuarantinedResource } from "@catalyst/rpc";
import {
  type Change,
  type ProxyStatus as ConnectedProxy,
  createXdsServer,
  defaultKey,
  listenerType,
  openSnapshotJournal,
  type Resource,
  type SnapshotJournal,
  type TypeStatus,
  XdsError,
  type XdsServer,
} from "@catalyst/xds";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import type { ProxySide, ProxyState } from "./activation.ts";
import type { ReachedService } from "./reach.ts";

export type PublisherParts = {
  readonly mesh: MeshInput;
  readonly socketPath: string;
  readonly journalPath: string;
  /** Keeps the listeners back that clients come to, until {@link ProxyPublisher.openIngress}. */
  readonly ingressClosed?: boolean;
  readonly events: OrchestratorEvents;
};

const confirmMs = 5_000;
const tidyMs = 60_000;

/** Envoy's side of the node: translates services to resources, publishes them, and knows how far they came. */
export class ProxyPublisher implements ProxySide, AsyncDisposable {
  readonly #server: XdsServer;
  readonly #journal: SnapshotJournal;
  readonly #translation: MeshTranslation;
  /** The revision in which each service was last published. */
  readonly #revisions = new Map<string, number>();
  /** Which service a resource belongs to, by the resource's name. */
  readonly #owners = new Map<string, string>();
  /** What is published together with the first services: an Envoy that returns must not be told less. */
  #first: Resource[];
  /** Listeners that are kept back. */
  #closed: readonly Resource[];
  /** Resolves when the first Envoy has connected since the orchestrator started. */
  readonly #someone: Promise<void>;
  #published = 0;
  #confirmed = 0;
  #confirming = false;
  #ended = false;

  private constructor(
    server: XdsServer,
    journal: SnapshotJournal,
    translation: MeshTranslation,
    someone: Promise<void>,
    ingressClosed: boolean,
  ) {
    this.#server = server;
    this.#someone = someone;
    this.#journal = journal;
    this.#translation = translation;
    const isClosed = (listener: Resource) => ingressClosed && isIngressListener(listener);
    const isLater = (listener: Resource) => isClosed(listener) || needsIdentity(listener, translation.mesh);
    this.#first = translation.node.filter((resource) => !isLater(resource));
    this.#closed = translation.node.filter(isClosed);
  }

  /** Listens for Envoy. Nothing is answered before something is published. */
  static async create(parts: PublisherParts): Promise<ProxyPublisher> {
    const { events } = parts;
    const journal = await openJournal(parts.journalPath, events);
    const connected = Promise.withResolvers<void>();
    let publisher: ProxyPublisher | null = null;
    const server = await createXdsServer({
      listen: [`unix:${parts.socketPath}`],
      identifier: "catalyst",
      events: {
        onConnected: ({ node }) => {
          events.proxyConnected(node);
          connected.resolve();
          publisher?.began();
        },
        onDisconnected: ({ node }, reason) => events.proxyDisconnected(node, reason),
        onAcknowledged: (_proxy, acknowledged) => {
          journal.record(acknowledged);
          events.acknowledged(shortType(acknowledged.type), acknowledged.upsert.length);
        },
        onRejected: ({ node }, { type, names, message }) =>
          events.rejected(node, { type: shortType(type), names, message }),
        onQuarantined: ({ node }, { type, name, message }) =>
          events.quarantined(node, { type: shortType(type), name, message }),
      },
    });
    const translation = new MeshTranslation(parts.mesh);
    const closed = parts.ingressClosed === true;
    publisher = new ProxyPublisher(server, journal, translation, connected.promise, closed);
    return publisher;
  }

  put(services: readonly ReachedService[]): void {
    this.#publish(this.#translation.plan({ put: services }));
    for (const { name } of services) this.#revisions.set(name, this.#published);
  }

  remove(names: readonly string[]): void {
    this.#publish(this.#translation.plan({ remove: names }));
    for (const name of names) this.#revisions.delete(name);
  }

  /**
   * Lets clients in. Resolves when Envoy does, or after the time, and when that is on disk: who stands in while this process
   * is away lets them in too.
   */
  async openIngress(timeoutMs: number): Promise<void> {
    const upsert = [...this.#closed];
    this.#closed = [];
    if (this.#published === 0) this.#first.push(...upsert);
    else if (upsert.length > 0) this.#update({ upsert });
    await this.settled(timeoutMs);
    await this.#journal.flush().catch(() => undefined); // It is tried again, and told, by itself.
  }

  /** Publishes the certificate of the TLS listener, with the services when none are published yet. */
  putCertificate(certificate: KeyPair): void {
    const secret = compileSecret(defaultTlsSecret, certificate);
    if (this.#published === 0) this.#first.push(secret);
    else this.#update({ upsert: [secret] });
  }

  /** Returns what publishes what credentials are verified by. Throws `EnvoyError` `credentials_invalid`. */
  prepareCredentials(rules: CredentialRules): () => void {
    const resources = compileCredentials(rules);
    return () => {
      if (this.#published === 0) this.#first.push(...resources);
      else this.#update({ upsert: resources });
    };
  }

  /**
   * Publishes what this node's Envoy shows to others, and whom it lets in: SPIFFE certificates and roots. Nodes that are
   * known by their full names lose nothing when another one is revoked.
   */
  putNode(identity: KeyPair, trust: NodeTrust, known: readonly string[]): void {
    const { mesh } = this.#translation;
    const nodes = { known, denied: trust.denied };
    const doors = [compileMeshListener(mesh, nodes), compileWayOut(mesh, nodes)].filter(
      (door) => door !== null,
    );
    const resources = [compileNodeIdentity(identity), ...compileNodeTrust(trust, mesh.domain), ...doors];
    if (this.#published > 0) {
      this.#update({ upsert: resources });
      return;
    }
    const isOther = (first: Resource) =>
      !resources.some(({ type, name }) => first.type === type && first.name === name);
    this.#first = [...this.#first.filter(isOther), ...resources];
  }

  /** What Envoy's resources are made from, besides services. */
  get mesh(): MeshInput {
    return this.#translation.mesh;
  }

  /** Why ports of `mesh.tcp` lead nowhere, by the names of their services. */
  tcpFaults(): { readonly name: string; readonly reason: string }[] {
    return (this.#translation.mesh.tcp ?? []).flatMap(({ name }) => {
      const reason = this.#translation.tcpFault(name);
      return reason === null ? [] : [{ name, reason }];
    });
  }

  /** Publishes the authorities, PEM, whose certificates services may have. */
  putAuthorities(certificates: string): void {
    this.#update({ upsert: [compileTrust(certificates)] });
  }

  async settled(timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    await Promise.race([this.#someone, aborted(signal)]);
    if (!signal.aborted) await this.#server.settled(defaultKey, { signal });
  }

  observe(): (name: string) => ProxyState {
    const held = new Map<string, string>();
    for (const { type, name, message } of this.#server.quarantined()) {
      const owner = this.#owners.get(name);
      const services = owner === undefined ? this.#translation.usersOf({ type, name }) : [owner];
      for (const service of services) held.set(service, message);
    }
    const connected = this.#server.proxies().length > 0;
    return (name) => {
      const revision = this.#revisions.get(name);
      const message = held.get(name);
      if (message !== undefined)
        return {
          state: "rejected",
          reason: `Envoy does not take what follows from its declaration, and keeps what it had: ${message}`,
        };
      const withheld = this.#translation.withheld(name);
      if (withheld !== null) return { state: "rejected", reason: withheld };
      if (revision === undefined) return { state: "pending", reason: null };
      if (!connected) return { state: "pending", reason: "no Envoy is connected" };
      return { state: revision <= this.#confirmed ? "acknowledged" : "pending", reason: null };
    };
  }

  /** The clusters in which Envoy has the endpoints of a service. */
  clustersOf(service: string): readonly string[] {
    return this.#translation.clustersOf(service);
  }

  proxies(): ProxyStatus[] {
    return this.#server.proxies().map(describeProxy);
  }

  quarantined(): QuarantinedResource[] {
    return this.#server
      .quarantined()
      .map(({ type, name, message, since }) => ({ type: shortType(type), name, message, at: since }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.#server.close();
    await this.#journal[Symbol.asyncDispose]();
  }

  #publish(plan: TranslationPlan): void {
    this.#update({ upsert: [...this.#first, ...plan.upsert], remove: plan.remove });
    this.#first = [];
    this.#translation.commit(plan);
    for (const [service, resources] of plan.services) {
      for (const { name } of resources?.own ?? []) this.#owners.set(name, service);
    }
    for (const { name } of plan.remove) this.#owners.delete(name);
  }

  #update(change: Change): void {
    this.#published = this.#server.update(defaultKey, change);
    void this.#confirm();
  }

  /** An Envoy has connected: what the one before acknowledged says nothing of this one. */
  began(): void {
    this.#confirmed = 0;
    void this.#confirm();
    void this.#tidyJournal();
  }

  /** What was withdrawn while no Envoy was connected was acknowledged by nobody: it is forgotten once one has settled. */
  async #tidyJournal(): Promise<void> {
    const { complete } = await this.#server.settled(defaultKey, { timeoutMs: tidyMs });
    const present = complete && !this.#ended && this.#server.proxies().length > 0;
    if (present) this.#journal.retain(this.#server.snapshot(defaultKey));
  }

  /** Follows how far Envoy is, one wait at a time; without an Envoy there is nothing to follow. */
  async #confirm(): Promise<void> {
    if (this.#confirming) return;
    this.#confirming = true;
    while (this.#confirmed < this.#published && !this.#ended && this.#server.proxies().length > 0) {
      const settlement = await this.#server.settled(defaultKey, {
        revision: this.#published,
        timeoutMs: confirmMs,
      });
      const present = this.#server.proxies().length > 0;
      if (settlement.complete && present) this.#confirmed = Math.max(this.#confirmed, settlement.revision);
    }
    this.#confirming = false;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Opens the journal; one that is damaged is set aside as `<path>.bad` and begun anew, because it can be made again. */
async function openJournal(path: string, events: OrchestratorEvents): Promise<SnapshotJournal> {
  const options = { onError: events.journalFailed };
  try {
    return await openSnapshotJournal(path, options);
  } catch (error) {
    const damaged =
      (error instanceof XdsError && error.code === "journal_malformed") ||
      (error instanceof DurableError && error.code === "journal_invalid");
    if (!damaged) throw error;
    renameSync(path, `${path}.bad`);
    events.journalDamaged(error);
    return await openSnapshotJournal(path, options);
  }
}

/** Those of clients; what this node's own processes and other nodes come to is another matter. */
function isIngressListener({ type, name }: Resource): boolean {
  return type === listenerType && name.startsWith("ingress");
}

/** What other nodes come to is there when there is something to show to them: a node that joins gets that in a moment. */
function needsIdentity({ type, name }: Resource, { nodes }: MeshInput): boolean {
  return type === listenerType && name === "mesh" && nodes !== "plain";
}

/** `Cluster` for `type.googleapis.com/envoy.config.cluster.v3.Cluster`. */
function shortType(url: string): string {
  return url.slice(url.lastIndexOf(".") + 1);
}

function describeProxy(proxy: ConnectedProxy): ProxyStatus {
  return {
    node: proxy.node,
    connectedAt: proxy.connectedSince,
    protocol: proxy.protocol === "delta" ? "delta" : "state-of-the-world",
    types: proxy.types.map(describeType),
  };
}

function describeType(type: TypeStatus): ProxyStatus["types"][number] {
  return {
    type: shortType(type.type),
    subscribed: type.wildcard ? "*" : type.subscribed,
    sent: type.responses,
    acknowledged: type.acknowledged,
    outstanding: type.outstanding + type.pending,
    rejected: type.rejected,
  };
}
