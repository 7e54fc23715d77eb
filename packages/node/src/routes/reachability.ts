import type { NodeRule } from "@catalyst/envoy";
import type { PolicyRule, UsablePath } from "@catalyst/peering";
import { serviceDeclaration } from "@catalyst/rpc";
import type { ServiceEntry } from "../services/service-table.ts";
import { type KeptFile, KeptRoutes } from "./kept-routes.ts";
import { NextHops } from "./next-hops.ts";
import { nodeRules } from "./node-rules.ts";
import { type ReachedService, type RemoteService, reachedService, remoteService } from "./reach.ts";

export type ReachabilityParts = {
  /** This node's full name, and the organisation's domain. */
  readonly node: string;
  readonly domain: string;
  /** Where this node itself is reached: by other nodes, or where they do not reach it, by clients. */
  readonly ownHost: string;
  /** Of services of this node's own. */
  readonly find: (name: string) => ServiceEntry | undefined;
  /** The routes of a service by its full name, the best one first, this node's own among them. */
  readonly routes: (service: string) => readonly UsablePath[];
  /** Brings into force how services are reached from now on, and which are not any more. */
  readonly apply: (reached: readonly ReachedService[], gone: readonly string[]) => void;
  /** By which it is decided what peers are told. */
  readonly exportRules: readonly PolicyRule[];
  readonly kept: KeptFile;
  /** How long a peer is waited for that does not come back, in ms. */
  readonly restartMs: number;
  readonly onFailure: (error: unknown) => void;
};

/** So many services are looked at in one turn: a peer may tell thousands at once, and sessions and requests go on. */
const servicesPerTurn = 32;

/**
 * How each service is reached: what this node declares and what its peers told, brought together by name. Until peers have
 * told their routes anew after a start, what was known before it counts.
 */
export class Reachability implements AsyncDisposable {
  readonly #parts: ReachabilityParts;
  readonly #suffix: string;
  readonly #kept: KeptRoutes;
  readonly #nextHops: NextHops;
  /** Services whose routes changed since they were looked at: however often, once. */
  readonly #changed = new Set<string>();
  #turn: NodeJS.Immediate | null = null;

  constructor(parts: ReachabilityParts) {
    this.#parts = parts;
    this.#suffix = `.${parts.domain}`;
    this.#nextHops = new NextHops(parts.ownHost);
    this.#kept = new KeptRoutes({
      file: parts.kept,
      restartMs: parts.restartMs,
      onForgotten: (names) => this.refresh(names),
      onFailure: parts.onFailure,
    });
  }

  /** All that there is, at the start. */
  load(own: Iterable<ServiceEntry>): void {
    this.#apply([...Array.from(own, ({ service }) => service.name), ...this.#kept.names()]);
  }

  /**
   * Routes of these services changed; by their full names. Those of other organisations are not reached by name yet, and
   * what no node could declare is no service: the gateway's own Host is not a peer's to have. They are looked at soon, some
   * in each turn.
   */
  routesChanged(services: readonly string[]): void {
    for (const service of services) {
      if (!service.endsWith(this.#suffix)) continue;
      const { success, data } = serviceDeclaration.shape.name.safeParse(
        service.slice(0, -this.#suffix.length),
      );
      if (success) this.#changed.add(data);
    }
    if (this.#changed.size > 0) this.#turn ??= setImmediate(() => this.#refreshSome());
  }

  /** A peer has told all that it has. */
  complete(peer: string): void {
    this.#kept.complete(peer);
  }

  /** Looks anew at services by their names. */
  refresh(names: readonly string[]): void {
    if (names.length > 0) this.#apply(names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turn !== null) clearImmediate(this.#turn);
    await this.#kept[Symbol.asyncDispose]();
  }

  #refreshSome(): void {
    const names = [...this.#changed.values().take(servicesPerTurn)];
    for (const name of names) this.#changed.delete(name);
    this.#turn = this.#changed.size > 0 ? setImmediate(() => this.#refreshSome()) : null;
    this.refresh(names);
  }

  #apply(names: readonly string[]): void {
    const reached: ReachedService[] = [];
    const gone: string[] = [];
    for (const name of new Set(names)) {
      const service = this.#look(name);
      if (service === null) gone.push(name);
      else reached.push(service);
    }
    this.#parts.apply(reached, gone);
  }

  #rulesOf({ name, protocol }: ReachedService): readonly NodeRule[] {
    const { domain, exportRules } = this.#parts;
    return nodeRules(exportRules, { service: `${name}${this.#suffix}`, organisation: domain, protocol });
  }

  #followed(name: string, remote: RemoteService | null): RemoteService | null {
    const nextHops = this.#nextHops.follow(name, remote?.nextHops ?? []);
    return remote === null || nextHops.length === 0 ? null : { ...remote, nextHops };
  }

  #look(name: string): ReachedService | null {
    const { node, find, routes } = this.#parts;
    const paths = routes(`${name}${this.#suffix}`);
    const told = remoteService(name, paths, node);
    if (told === null) this.#kept.drop(name);
    else this.#kept.keep(told);
    const hereLast = paths.findIndex(({ source }) => source.node === node) > 0;
    const remote = this.#followed(name, told ?? this.#kept.before(name));
    const reached = reachedService(find(name) ?? null, remote, hereLast);
    return reached === null || reached.entry === null
      ? reached
      : { ...reached, rules: this.#rulesOf(reached) };
  }
}
