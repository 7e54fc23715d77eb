import { type Resource, type ResourceName, typeUrl } from "@catalyst/xds";
import { ClusterSchema } from "@catalyst/xds/api/config/cluster/v3/cluster_pb";
import { type CompiledService, compileNode, compileService } from "./compile.ts";
import { EnvoyError } from "./errors.ts";
import type { MeshInput } from "./mesh.ts";
import { isPathsCluster } from "./node-cluster.ts";
import type { ReachableService } from "./reachable.ts";
import { tcpPortName } from "./tcp.ts";
import { isDoorInside } from "./tcp-access.ts";
import { isAddressCluster } from "./way-out.ts";

/** Services to put in, or to put in another form, and names of services to take out. */
export type ServiceChange = {
  readonly put?: readonly ReachableService[];
  readonly remove?: readonly string[];
};

/** What a change means for Envoy: nothing is in force until it is committed. */
export type TranslationPlan = {
  readonly upsert: readonly Resource[];
  readonly remove: readonly ResourceName[];
  /** Which translation it was made for. */
  readonly revision: number;
  /** The resources of each service touched; null when it goes. */
  readonly services: ReadonlyMap<string, CompiledService | null>;
};

/** A resource that several services have, and how many do. */
type Shared = { readonly resource: Resource; readonly users: number };

const nothing: CompiledService = { own: [], shared: [] };

/**
 * The services in force and the Envoy resources that each has. A plan costs in proportion to the change that it
 * is made from, and holds only resources whose bytes differ.
 */
export class MeshTranslation {
  /** What it was made for. */
  readonly mesh: MeshInput;
  readonly #node: readonly Resource[];
  readonly #services = new Map<string, CompiledService>();
  readonly #shared = new Map<string, Shared>();
  #revision = 0;

  /** Throws {@link EnvoyError} `mesh_invalid`. */
  constructor(mesh: MeshInput) {
    this.mesh = mesh;
    this.#node = compileNode(mesh);
  }

  /** What a node has without any service. */
  get node(): readonly Resource[] {
    return this.#node;
  }

  /** Every resource in force: the node's and those of its services. */
  *resources(): Iterable<Resource> {
    yield* this.#node;
    for (const { own } of this.#services.values()) yield* own;
    for (const { resource } of this.#shared.values()) yield resource;
  }

  /** The resources of one service; throws {@link EnvoyError} `service_unknown`. */
  resourcesOf(service: string): readonly Resource[] {
    const compiled = this.#services.get(service);
    if (compiled === undefined) throw new EnvoyError("service_unknown", `${service} is not in force`);
    return [...compiled.own, ...compiled.shared];
  }

  /** Why a service in force is not served at all, and what to do; null when it is, or is not known. */
  withheld(service: string): string | null {
    return this.#services.get(service)?.withheld ?? null;
  }

  /** The services in force that share a resource; none for one that is a service's own. Looks at all of them. */
  usersOf(shared: ResourceName): string[] {
    const isIt = (resource: Resource) => keyOf(resource) === keyOf(shared);
    return [...this.#services].flatMap(([name, compiled]) => (compiled.shared.some(isIt) ? [name] : []));
  }

  /** Why a port for a TCP service would lead nowhere; null when it does not. */
  tcpFault(service: string): string | null {
    const compiled = this.#services.get(service);
    if (compiled === undefined) return "no node that this one knows of has a service of this name";
    if (compiled.withheld !== undefined) return compiled.withheld;
    return compiled.own.some(({ name }) => name === tcpPortName(service))
      ? null
      : "the service does not speak TCP: it is reached at egress by its Host";
  }

  /** The clusters in which Envoy has the endpoints of a service; none for one that is not in force. */
  clustersOf(service: string): readonly string[] {
    const { own, shared } = this.#services.get(service) ?? nothing;
    const clusters = [...own, ...shared].filter(({ type }) => type === clusterType);
    return clusters
      .map(({ name }) => name)
      .filter((name) => ![isPathsCluster, isAddressCluster, isDoorInside].some((is) => is(name)));
  }

  /** Throws {@link EnvoyError} `service_invalid` or `next_hop_invalid`, and then nothing of the change is planned. */
  plan({ put = [], remove = [] }: ServiceChange): TranslationPlan {
    const services = new Map<string, CompiledService | null>();
    for (const name of remove) if (this.#services.has(name)) services.set(name, null);
    const made = new Map<string, Resource>();
    const known = (name: ResourceName) => this.#shared.get(keyOf(name))?.resource ?? made.get(keyOf(name));
    for (const service of put) {
      const compiled = compileService(service, this.mesh, known);
      services.set(service.name, compiled);
      for (const resource of compiled.shared) made.set(keyOf(resource), resource);
    }
    const upsert: Resource[] = [];
    const gone: Resource[] = [];
    for (const [name, after] of services) {
      const before = this.#services.get(name)?.own ?? [];
      const own = after?.own ?? [];
      upsert.push(...own.filter((resource) => find(before, resource)?.version !== resource.version));
      gone.push(...before.filter((resource) => find(own, resource) === undefined));
    }
    for (const [key, { resource, users }] of this.#sharedAfter(services)) {
      const before = this.#shared.get(key);
      if (users === 0 && before !== undefined) gone.push(before.resource);
      if (users > 0 && before?.resource.version !== resource.version) upsert.push(resource);
    }
    const removed = gone.map(({ type, name }) => ({ type, name }));
    return { upsert, remove: removed, revision: this.#revision, services };
  }

  /** Puts a plan in force. Throws {@link EnvoyError} `plan_stale` when another was committed since it was made. */
  commit(plan: TranslationPlan): void {
    if (plan.revision !== this.#revision) {
      throw new EnvoyError("plan_stale", "another plan was committed after this one was made");
    }
    this.#revision++;
    for (const [key, shared] of this.#sharedAfter(plan.services)) {
      if (shared.users === 0) this.#shared.delete(key);
      else this.#shared.set(key, shared);
    }
    for (const [name, compiled] of plan.services) {
      if (compiled === null) this.#services.delete(name);
      else this.#services.set(name, compiled);
    }
  }

  /** The shared resources that a change of services touches, with the users that each has afterwards. */
  #sharedAfter(services: TranslationPlan["services"]): Map<string, Shared> {
    const touched = new Map<string, Shared>();
    const count = (resource: Resource, by: 1 | -1) => {
      const key = keyOf(resource);
      const before = touched.get(key) ?? this.#shared.get(key);
      touched.set(key, { resource, users: (before?.users ?? 0) + by });
    };
    for (const [name, after] of services) {
      for (const resource of (this.#services.get(name) ?? nothing).shared) count(resource, -1);
      for (const resource of after?.shared ?? []) count(resource, 1);
    }
    return touched;
  }
}

const clusterType = typeUrl(ClusterSchema);

function keyOf({ type, name }: ResourceName): string {
  return `${type} ${name}`;
}

function find(resources: readonly Resource[], { type, name }: ResourceName): Resource | undefined {
  return resources.find((resource) => resource.type === type && resource.name === name);
}
