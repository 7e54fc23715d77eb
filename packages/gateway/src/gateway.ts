import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { GatewayReport, GatewayUpdate } from "@catalyst/rpc";
import type { Logger, Metrics } from "@catalyst/telemetry";
import { chooseEngine } from "./engine/choose-engine.ts";
import type { GatewayEngine } from "./engine/engine.ts";
import { GatewayError } from "./errors.ts";
import { createGatewayEvents, type GatewayEvents } from "./events.ts";
import { type Generation, Generations } from "./generation.ts";
import { Inspection } from "./inspection.ts";
import type { GatewayOptions } from "./options.ts";
import { ThreadComposer } from "./schema/composition-thread.ts";
import { type Attempt, type Candidate, type Fault, findServable, type Servable } from "./schema/culprits.ts";
import { SchemaCache } from "./schema/schema-cache.ts";
import { SchemaFeed } from "./schema/schema-feed.ts";
import { SchemaHistory } from "./schema/schema-history.ts";
import { createSchemaFetch, type FetchSchema } from "./schema/schema-source.ts";
import { createEdge, type Edge } from "./server/edge.ts";
import { digestOf, type SchemaInput, type ServiceSchema, type UnavailableService } from "./service.ts";
import { StateClock } from "./state-clock.ts";
import { compileHeaderRules } from "./upstream/header-rules.ts";
import { ServiceFailures } from "./upstream/service-failures.ts";
import { createUpstream, type Upstream } from "./upstream/upstream.ts";

export type GatewayParts = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Folder for the schemas served last; without it a restart knows only services that answer. */
  readonly cacheDir?: string;
  /** Makes the engine; the one of the options when left out. */
  readonly engine?: (upstream: Upstream) => GatewayEngine;
  /** The gateway's own credential for one service, for schema requests and nothing else; null while it has none. */
  readonly credentials?: (service: string) => Promise<string | null>;
  /** What composes schemas. */
  readonly composer?: ThreadComposer;
  /** Wall time in ms since 1970, for `since`. */
  readonly now?: () => number;
};

/** A GraphQL gateway: one endpoint over the services of the update in force. */
export type Gateway = AsyncDisposable & {
  /**
   * Puts an update in force, one after the other, and answers with what is served then. Waits `schemaSettleMs`
   * for new schemas; later ones are taken up by themselves. Throws `update_stale` for an older version, or for
   * other content under the version in force, and `draining`.
   */
  apply(update: GatewayUpdate): Promise<GatewayReport>;
  report(): GatewayReport;
  /** Fetches one service's schema now and answers when the result is in force. Throws `service_not_found`. */
  refresh(service: string): Promise<GatewayReport>;
  /** What is served, why, and what changed. */
  readonly inspection: Inspection;
  /** Answers one HTTP request to the endpoint: the listener of a `node:http` server. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over a connection that asks for a WebSocket: the same server's listener of `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Why the persisted documents in force are not those of their files; null when they are. */
  readonly documentFault: string | null;
  /** WebSockets and subscriptions of clients that are open now. */
  readonly open: { readonly sockets: number; readonly subscriptions: number };
  /** Refuses what is new, ends subscriptions, and waits up to `drainMs` for queries and mutations that run. */
  drain(): Promise<void>;
};

/**
 * Starts a gateway that serves nothing until its first update.
 *
 * @example
 * await using gateway = createGateway({ logger, metrics }, gatewayOptions.parse({}));
 * const server = createServer(gateway.handle).on("upgrade", gateway.upgrade);
 * const report = await gateway.apply({ version: 1, egress, services });
 */
export function createGateway(parts: GatewayParts, options: GatewayOptions): Gateway {
  return new RunningGateway(parts, options);
}

type Compiled = Pick<Generation, "compiled" | "sdl" | "supergraphSdl">;

class RunningGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #events: GatewayEvents;
  readonly #upstream: Upstream;
  readonly #engine: GatewayEngine;
  readonly #fetchSchema: FetchSchema;
  readonly #cache: SchemaCache;
  readonly #composer: ThreadComposer;
  readonly #generations: Generations;
  readonly #states: StateClock;
  readonly #history = new SchemaHistory();
  readonly #now: () => number;
  readonly #feeds = new Map<string, SchemaFeed>();
  readonly #failures = new ServiceFailures();
  readonly #draining = new AbortController();
  readonly #edge: Edge;
  readonly inspection: Inspection;
  readonly handle: Gateway["handle"];
  readonly upgrade: Gateway["upgrade"];
  #update: GatewayUpdate | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #composedKey = "";
  #refused: ReadonlyMap<string, string> = new Map();

  constructor(parts: GatewayParts, options: GatewayOptions) {
    this.#options = options;
    this.#generations = new Generations(options);
    this.#events = createGatewayEvents(parts.logger, parts.metrics, () => ({
      ...this.#generations.alive,
      ...this.#edge.open,
    }));
    const headers = compileHeaderRules(options.headers);
    this.#upstream = createUpstream(this.#events, options.upstream, {
      failures: this.#failures,
      headers,
    });
    this.#engine =
      parts.engine?.(this.#upstream) ??
      chooseEngine(options.engine, {
        upstream: this.#upstream,
        onFallback: (reason) => this.#events.engineFallback(reason),
      });
    this.#fetchSchema = createSchemaFetch(this.#upstream, {
      maxBytes: options.schemaMaxBytes,
      credential: parts.credentials,
    });
    this.#composer = parts.composer ?? new ThreadComposer();
    this.#cache = new SchemaCache(parts.cacheDir ?? null, this.#events);
    this.#now = parts.now ?? Date.now;
    this.#states = new StateClock(this.#now, this.#events);
    this.inspection = new Inspection({
      generations: this.#generations,
      history: this.#history,
      documents: options,
      feed: (name) => this.#feeds.get(name),
      report: (name) => this.report().services.find((service) => service.name === name),
      now: this.#now,
    });
    this.#edge = createEdge({
      path: "/graphql",
      generations: this.#generations,
      events: this.#events,
      options,
      unavailable: () => this.#unavailable(),
      draining: this.#draining.signal,
      forward: headers.forward,
    });
    this.handle = this.#edge.handle;
    this.upgrade = this.#edge.upgrade;
  }

  apply(update: GatewayUpdate): Promise<GatewayReport> {
    return this.#inTurn(async () => {
      if (this.#draining.signal.aborted) throw new GatewayError("draining", "the gateway is shutting down");
      if (!isNewer(update, this.#update)) return this.report();
      await this.#edge.ready;
      this.#update = update;
      this.#upstream.useEgress(update.egress);
      const changed = await this.#updateFeeds(update);
      if (this.#generations.current === null) await this.#recompose(); // what an earlier process kept, at once
      const fetched = Promise.all(changed.map((feed) => feed.refresh()));
      await Promise.race([fetched, sleep(this.#options.schemaSettleMs, undefined, { ref: false })]);
      await this.#recompose();
      return this.report();
    });
  }

  get documentFault(): string | null {
    return this.#edge.documentFault;
  }

  get open(): Gateway["open"] {
    return this.#edge.open;
  }

  report(): GatewayReport {
    const current = this.#generations.current;
    const services = [...this.#feeds.values()].map((feed) => this.#states.stamp(this.#describe(feed)));
    services.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#states.count(services);
    return {
      version: this.#update?.version ?? 0,
      generation: current?.number ?? this.#generations.count,
      schemaDigest: current?.digest ?? null,
      services,
    };
  }

  async refresh(service: string): Promise<GatewayReport> {
    const feed = this.#feeds.get(service);
    if (feed === undefined) {
      throw new GatewayError("service_not_found", `the update in force names no service ${service}`, {
        service,
      });
    }
    await feed.refresh();
    return this.#inTurn(async () => {
      await this.#recompose();
      return this.report();
    });
  }

  async drain(): Promise<void> {
    this.#draining.abort();
    await this.#generations.idle(this.#options.drainMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#draining.abort();
    this.#edge[Symbol.dispose]();
    this.#generations[Symbol.dispose]();
    await Promise.all([...this.#feeds.values()].map((feed) => feed[Symbol.asyncDispose]()));
    await this.#composer[Symbol.asyncDispose]();
    await this.#queue;
    await this.#engine[Symbol.asyncDispose]?.();
    await this.#upstream[Symbol.asyncDispose]();
  }

  /** Makes the feeds those of the update; answers with the ones that have to fetch. */
  async #updateFeeds(update: GatewayUpdate): Promise<SchemaFeed[]> {
    const wanted = new Map(update.services.map((target) => [target.name, target]));
    for (const [name, feed] of this.#feeds) {
      if (wanted.has(name)) continue;
      this.#feeds.delete(name);
      this.#states.forget(name);
      this.#upstream.forget(name);
      await Promise.all([feed[Symbol.asyncDispose](), this.#cache.remove(name)]);
    }
    const changed: SchemaFeed[] = [];
    for (const target of wanted.values()) {
      const known = this.#feeds.get(target.name);
      if (known?.retarget(target) === false) continue;
      this.#upstream.forget(target.name);
      const feed = known ?? (await this.#openFeed(target));
      this.#feeds.set(target.name, feed);
      changed.push(feed);
    }
    return changed;
  }

  async #openFeed(target: GatewayUpdate["services"][number]): Promise<SchemaFeed> {
    const cached = await this.#cache.read(target);
    const onSettled = () =>
      void this.#inTurn(() => this.#recompose()).catch((error) =>
        this.#events.internalError("recomposition", error),
      );
    const { schemaPollMs: pollMs, schemaTimeoutMs: timeoutMs } = this.#options;
    const feedParts = { fetch: this.#fetchSchema, onSettled, cached, now: this.#now };
    return new SchemaFeed(target, feedParts, { pollMs, timeoutMs });
  }

  /** Makes a generation of the schemas that there are, unless they are those that were composed last. */
  async #recompose(): Promise<void> {
    const candidates = this.#candidates();
    const key = inputsKey(candidates.map(({ target, schemas: [schema] }) => ({ target, schema })));
    if (key !== this.#composedKey && !this.#draining.signal.aborted) {
      const started = performance.now();
      const servable = await findServable(candidates, (services) => this.#attempt(services));
      this.#composedKey = key;
      this.#refused = servable.refused;
      this.#install(servable, started);
      await this.#composer.rest(candidates.flatMap(({ schemas }) => schemas));
      await Promise.all(servable.served.map(({ target, schema }) => this.#cache.write(target, schema)));
    }
    this.report();
  }

  #candidates(): Candidate[] {
    const servedNow = new Map(
      this.#generations.current?.services.map(({ target, schema }) => [target.name, schema]),
    );
    const candidates: Candidate[] = [];
    for (const { target, schema, cached } of this.#feeds.values()) {
      if (schema === null) continue;
      // What an earlier process served counts as served.
      const served = servedNow.get(target.name) ?? cached;
      const older = served !== null && served.digest !== schema.digest;
      const rank = served === null ? 2 : older ? 1 : 0;
      candidates.push({ target, schemas: older ? [schema, served] : [schema], rank });
    }
    return candidates.sort((a, b) => (a.target.name < b.target.name ? -1 : 1));
  }

  async #attempt(services: readonly SchemaInput[]): Promise<Attempt<Compiled | null>> {
    if (services.length === 0) return { ok: true, value: null };
    const { current } = this.#generations;
    if (current !== null && inputsKey(services) === inputsKey(current.services))
      return { ok: true, value: current };
    // This holds the thread up: requests get their turn between the steps.
    await setImmediate();
    try {
      const composition = await this.#composer.compose(services);
      if (!composition.ok) return composition;
      const { publicSdl: sdl, supergraphSdl } = composition.input;
      const compiled = await this.#engine.compile(composition.input);
      return { ok: true, value: { compiled, sdl, supergraphSdl } };
    } catch (error) {
      if (error instanceof GatewayError && error.code === "composition_failed") {
        return {
          ok: false,
          faults: this.#unserved(services).map(({ target }) => faultOf(target.name, error)),
        };
      }
      const message = error instanceof Error ? error.message : String(error);
      return { ok: false, faults: [{ services: [], message }] };
    }
  }

  /** Those of the services that are not served as they are, among which the culprit is. */
  #unserved(services: readonly SchemaInput[]): readonly SchemaInput[] {
    const changed = services.filter(
      ({ target, schema }) => this.#servedSchema(target.name)?.digest !== schema.digest,
    );
    return changed.length > 0 ? changed : services;
  }

  #install({ value, served }: Servable<Compiled | null>, started: number): void {
    if (inputsKey(served) === inputsKey(this.#generations.current?.services ?? [])) return;
    this.#generations.replace(
      value === null ? null : { ...value, digest: digestOf(value.sdl), services: served },
    );
    this.#history.add(this.#generations.count, this.#now(), this.#generations.current);
    this.#edge.schemaReplaced();
    this.#events.generation(this.#generations.current, performance.now() - started);
  }

  #describe(feed: SchemaFeed): Omit<GatewayReport["services"][number], "since"> {
    const { name } = feed.target;
    const served = this.#servedSchema(name);
    const reason = this.#refused.get(name) ?? feed.failure?.forOperators ?? null;
    const common = { name, kind: (served ?? feed.schema)?.kind ?? null };
    if (served === undefined) {
      const pending = "has not answered the schema request yet";
      return { ...common, state: "excluded", schemaDigest: null, reason: reason ?? pending };
    }
    const failing = this.#failures.reasonOf(name);
    const state = reason === null ? "serving" : "stale";
    return { ...common, state, schemaDigest: served.digest, reason: reason ?? failing };
  }

  /** The reason without what is inside the node: addresses, and Envoy's own words. */
  #publicReason(name: string): string | null {
    return this.#refused.get(name) ?? this.#feeds.get(name)?.failure?.forClients ?? null;
  }

  #servedSchema(name: string): ServiceSchema | undefined {
    return this.#generations.current?.services.find(({ target }) => target.name === name)?.schema;
  }

  #unavailable(): UnavailableService[] {
    return this.report().services.flatMap(({ name, state, reason }) =>
      state === "excluded"
        ? [{ service: name, reason: this.#publicReason(name) ?? reason ?? "is not served" }]
        : [],
    );
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(step);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}

function isNewer(update: GatewayUpdate, current: GatewayUpdate | null): boolean {
  if (current === null || update.version > current.version) return true;
  const inForce = `version ${current.version} is in force`;
  if (update.version < current.version) {
    throw new GatewayError("update_stale", `${inForce}, version ${update.version} is older`);
  }
  if (JSON.stringify(update) !== JSON.stringify(current)) {
    throw new GatewayError("update_stale", `${inForce} with other content`);
  }
  return false;
}

function faultOf(name: string, { message }: GatewayError): Fault {
  return { services: [name], message };
}

/** Equal for equal schemas behind equal routes; a revision alone changes neither. */
function inputsKey(inputs: readonly SchemaInput[]): string {
  return JSON.stringify(
    inputs.map(({ target: { name, host, path, timeoutMs, subscriptions }, schema }) => [
      ...[name, host, path, timeoutMs],
      ...[subscriptions, schema.digest],
    ]),
  );
}
