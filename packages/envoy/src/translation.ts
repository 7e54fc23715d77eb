import type { ServiceDeclaration } from "@catalyst/rpc";
import type { Resource, ResourceName } from "@catalyst/xds";
import { compileNode, compileService } from "./compile.ts";
import { EnvoyError } from "./errors.ts";
import type { MeshInput } from "./mesh.ts";

/** Services to put in, or to put in another form, and names of services to take out. */
export type ServiceChange = {
  readonly put?: readonly ServiceDeclaration[];
  readonly remove?: readonly string[];
};

/** What a change means for Envoy: nothing is in force until it is committed. */
export type TranslationPlan = {
  readonly upsert: readonly Resource[];
  readonly remove: readonly ResourceName[];
  /** Which translation it was made for. */
  readonly revision: number;
  /** The resources of each service touched; null when it goes. */
  readonly services: ReadonlyMap<string, readonly Resource[] | null>;
};

/**
 * The services in force and the Envoy resources that each has. A plan costs in proportion to the change that it
 * is made from, and holds only resources whose bytes differ.
 */
export class MeshTranslation {
  readonly #mesh: MeshInput;
  readonly #node: readonly Resource[];
  readonly #services = new Map<string, readonly Resource[]>();
  #revision = 0;

  /** Throws {@link EnvoyError} `mesh_invalid`. */
  constructor(mesh: MeshInput) {
    this.#mesh = mesh;
    this.#node = compileNode(mesh);
  }

  /** What a node has without any service. */
  get node(): readonly Resource[] {
    return this.#node;
  }

  /** Every resource in force: the node's and those of its services. */
  *resources(): Iterable<Resource> {
    yield* this.#node;
    for (const resources of this.#services.values()) yield* resources;
  }

  /** The resources of one service; throws {@link EnvoyError} `service_unknown`. */
  resourcesOf(service: string): readonly Resource[] {
    const resources = this.#services.get(service);
    if (resources === undefined) throw new EnvoyError("service_unknown", `${service} is not in force`);
    return resources;
  }

  /** Throws {@link EnvoyError} `service_invalid`, and then nothing of the change is planned. */
  plan({ put = [], remove = [] }: ServiceChange): TranslationPlan {
    const services = new Map<string, readonly Resource[] | null>();
    for (const name of remove) if (this.#services.has(name)) services.set(name, null);
    for (const service of put) services.set(service.name, compileService(service, this.#mesh));
    const upsert: Resource[] = [];
    const gone: ResourceName[] = [];
    for (const [name, after] of services) {
      const before = this.#services.get(name) ?? [];
      upsert.push(
        ...(after ?? []).filter((resource) => find(before, resource)?.version !== resource.version),
      );
      gone.push(...before.filter((resource) => find(after ?? [], resource) === undefined));
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
    for (const [name, resources] of plan.services) {
      if (resources === null) this.#services.delete(name);
      else this.#services.set(name, resources);
    }
  }
}

function find(resources: readonly Resource[], { type, name }: ResourceName): Resource | undefined {
  return resources.find((resource) => resource.type === type && resource.name === name);
}
