import type { DiscoveryRequest, Interest, Protocol } from "../src/discovery.ts";
import { defaultLimits } from "../src/options.ts";
import { Published } from "../src/published.ts";
import { createResource, type Resource, type ResourceName } from "../src/resource.ts";
import { type ResourceType, type TypeTable, typeTable } from "../src/resource-type.ts";
import { createStream, isSettled, type Stream, step } from "../src/stream.ts";
import type { Acknowledged, Effect } from "../src/subscription.ts";
import { ResourceTable } from "../src/table.ts";

/** Types as simple as can be, in the pattern of Envoy's: a body is a list of lines, each `type name`. */
const readLines = (body: Uint8Array): ResourceName[] =>
  new TextDecoder()
    .decode(body)
    .split("\n")
    .slice(1)
    .map((line) => {
      const [type = "", name = ""] = line.split(" ");
      return { type, name };
    });
const plain = {
  ...{ wildcard: false, complete: false, resend: false, warms: true, mayName: [] },
  references: readLines,
};
export const modelTypes: readonly ResourceType[] = [
  { ...plain, url: "cluster", rank: 1, wildcard: true, complete: true, mayName: ["endpoint"] },
  { ...plain, url: "endpoint", rank: 2, resend: true },
  { ...plain, url: "listener", rank: 3, wildcard: true, complete: true, mayName: ["route"] },
  {
    ...{ ...plain, url: "scope", rank: 4, wildcard: true, complete: true },
    ...{ warms: false, mayName: ["table"] },
  },
  { ...plain, url: "route", rank: 5, mayName: ["cluster"] },
  { ...plain, url: "table", rank: 5, mayName: ["cluster"] },
];

/** What the model client asks for by itself, and what it asks for that those name. */
const listed = ["cluster", "listener", "scope"];
const followed = [
  ["cluster", "endpoint"],
  ["listener", "route"],
  ["scope", "table"],
] as const;

/** A resource whose body says what it names; a label that starts with `bad` makes the model client reject it. */
export function resource(type: string, name: string, label: string, ...names: string[]): Resource {
  return createResource(type, name, new TextEncoder().encode([label, ...names].join("\n")));
}

const isBad = ({ body }: Resource) => new TextDecoder().decode(body).startsWith("bad");

type Response = Effect & { readonly kind: "send" };

/** How a model client behaves where clients differ. */
export type Manners = {
  /** Whether it applies the good part of a response that it rejects. */
  readonly appliesPart: boolean;
  /** Whether its errors name the culprit. */
  readonly namesCulprit: boolean;
};

/**
 * A client like Envoy: everything of clusters, listeners and scopes, endpoints of its clusters, routes of its listeners, tables
 * of its scopes. It checks what a client may rely on, and fails by throwing.
 */
export class ModelClient {
  readonly protocol: Protocol;
  readonly manners: Manners;
  readonly held = new Map<string, Map<string, Resource>>(modelTypes.map(({ url }) => [url, new Map()]));
  readonly requests: DiscoveryRequest[] = [];
  readonly responses: Response[] = [];
  /** How often each rejected version came. */
  readonly badSeen = new Map<string, number>();
  #asked = new Map<string, Set<string>>();
  #nonces = new Map<string, string>();
  /** How often a resource may yet be sent again although its bytes are the same. */
  #again = new Map<string, number>();

  constructor(protocol: Protocol, manners: Manners) {
    this.protocol = protocol;
    this.manners = manners;
    this.connect();
  }

  /** Starts a new stream: says what it wants and, in delta, what it has. */
  connect(): void {
    this.requests.length = 0;
    this.responses.length = 0;
    this.#asked.clear();
    this.#nonces.clear();
    this.badSeen.clear();
    this.#again.clear();
    for (const type of listed) this.#request(type, [], []);
    this.#follow();
  }

  receive(): void {
    const response = this.responses.shift();
    if (!response) return;
    const { type, nonce, resources } = response;
    this.#nonces.set(type, nonce);
    const bad = resources.filter(isBad);
    for (const each of resources) {
      if (this.#isNew(each) || this.#again.has(`${type} ${each.name}`)) this.#allowReferred(each);
    }
    for (const each of bad) this.badSeen.set(keyOf(each), (this.badSeen.get(keyOf(each)) ?? 0) + 1);
    if (bad.length === 0 || this.manners.appliesPart) this.#apply(response, new Set(bad));
    if (bad.length > 0)
      for (const name of [...resources.map((each) => each.name), ...response.removed])
        this.#allow(type, name);
    const text = this.manners.namesCulprit ? bad.map(({ name }) => name).join(" ") : "no";
    this.#request(type, [], [], nonce, bad.length > 0 ? `error: ${text}` : undefined);
    this.#follow();
  }

  #apply({ type, resources, removed }: Response, bad: ReadonlySet<Resource>): void {
    const held = this.#of(type);
    const before = new Map(held);
    const complete = this.protocol === "sotw" && modelTypes.find(({ url }) => url === type)?.complete;
    if (complete) {
      const named = new Set(resources.map(({ name }) => name));
      for (const name of held.keys()) if (!named.has(name)) held.delete(name);
    }
    for (const name of removed) held.delete(name);
    for (const each of resources) {
      if (bad.has(each)) continue;
      if (!this.#wants(each)) continue;
      const same = held.get(each.name)?.version === each.version;
      if (!complete && !this.#consume(`${type} ${each.name}`) && same)
        throw new Error(`${type} ${each.name} came again with equal bytes`);
      held.set(each.name, each);
      this.#checkReferences(each);
      this.#checkTables(each, before.get(each.name));
    }
    if (removed.length > 0 || complete) this.#checkAll();
  }

  #wants({ type, name }: Resource): boolean {
    return listed.includes(type) || (this.#asked.get(type)?.has(name) ?? false);
  }

  #allow(type: string, name: string): void {
    const key = `${type} ${name}`;
    this.#again.set(key, (this.#again.get(key) ?? 0) + 1);
  }

  #isComing(type: string, name: string): boolean {
    return this.responses.some(
      (response) => response.type === type && response.resources.some((each) => each.name === name),
    );
  }

  #consume(key: string): boolean {
    const left = this.#again.get(key) ?? 0;
    if (left > 1) this.#again.set(key, left - 1);
    else this.#again.delete(key);
    return left > 0;
  }

  #isNew(each: Resource): boolean {
    return this.#of(each.type).get(each.name)?.version !== each.version;
  }

  /** An updated cluster has its endpoints come again. */
  #allowReferred(each: Resource): void {
    for (const { type, name } of readLines(each.body)) if (type === "endpoint") this.#allow(type, name);
  }

  #checkReferences(each: Resource): void {
    if (each.type !== "route" && each.type !== "table") return;
    for (const target of readLines(each.body)) {
      const cluster = this.#of("cluster").get(target.name);
      if (!cluster)
        throw new Error(`${each.type} ${each.name} names cluster ${target.name}, which is not there`);
      for (const { name } of readLines(cluster.body)) {
        if (!this.#of("endpoint").has(name))
          throw new Error(`${each.type} ${each.name} leads to no endpoint ${name}`);
      }
    }
  }

  /**
   * A scope is used at once: one that takes the place of another must find its table there. In the state of the world what was in a
   * rejected response is taken back with all the rest, whatever that names.
   */
  #checkTables(scope: Resource, before: Resource | undefined): void {
    if (scope.type !== "scope" || before === undefined || this.protocol === "sotw") return;
    const had = readLines(before.body).map(({ name }) => name);
    for (const { name } of readLines(scope.body))
      if (!had.includes(name) && !this.#of("table").has(name))
        throw new Error(`scope ${scope.name} was given table ${name} before it was there`);
  }

  #checkAll(): void {
    for (const route of [...this.#of("route").values(), ...this.#of("table").values()]) {
      for (const { name } of readLines(route.body)) {
        if (!this.#of("cluster").has(name))
          throw new Error(`cluster ${name} was taken from under ${route.name}`);
      }
    }
  }

  /** Asks for what it now needs and gives up the rest. */
  #follow(): void {
    for (const [source, type] of followed) {
      const wanted = new Set(
        [...this.#of(source).values()].flatMap(({ body }) => readLines(body).map(({ name }) => name)),
      );
      const asked = this.#asked.get(type) ?? new Set();
      const subscribe = [...wanted].filter((name) => !asked.has(name));
      const unsubscribe = [...asked].filter((name) => !wanted.has(name));
      for (const name of unsubscribe) this.#of(type).delete(name);
      for (const name of subscribe) {
        this.#allow(type, name);
        // What is on its way was sent before the server hears of this, and it cannot know that it will be kept.
        if (this.#isComing(type, name)) this.#allow(type, name);
      }
      if (subscribe.length + unsubscribe.length === 0) continue;
      this.#asked.set(type, wanted);
      this.#request(type, subscribe, unsubscribe);
    }
  }

  #request(type: string, subscribe: string[], unsubscribe: string[], nonce?: string, error?: string): void {
    const first = !this.#nonces.has(type);
    const names = [...(this.#asked.get(type) ?? [])];
    const initial = new Map(
      first && nonce === undefined ? [...this.#of(type)].map(([name, { version }]) => [name, version]) : [],
    );
    const interest: Interest =
      this.protocol === "sotw"
        ? { kind: "list", names }
        : { kind: "change", subscribe, unsubscribe, initial };
    const answered = this.protocol === "sotw" ? (this.#nonces.get(type) ?? "") : (nonce ?? "");
    if (first) this.#nonces.set(type, "");
    this.requests.push({ node: "n", type, nonce: answered, error, interest });
  }

  #of(type: string): Map<string, Resource> {
    return this.held.get(type) ?? new Map();
  }
}

/** A server and one client with everything between them on two queues; time passes only when they are idle. */
export class Simulation {
  readonly types: TypeTable = typeTable(modelTypes);
  readonly table = new ResourceTable(this.types.of);
  readonly published = new Published(this.table);
  readonly client: ModelClient;
  readonly acknowledged: Acknowledged[] = [];
  stream: Stream;
  #now = 0;

  constructor(protocol: Protocol, manners: Manners) {
    this.client = new ModelClient(protocol, manners);
    this.stream = this.#newStream();
  }

  publish(upsert: readonly Resource[], remove: readonly ResourceName[] = []): void {
    const plan = this.table.plan({ upsert, remove });
    this.table.commit(plan);
    this.#perform(step(this.stream, { kind: "published", plan }, this.published, this.#now));
  }

  /** The server reads one request. */
  serve(): boolean {
    const request = this.client.requests.shift();
    if (!request) return false;
    this.#perform(step(this.stream, { kind: "request", request }, this.published, this.#now));
    return true;
  }

  /** The client reads one response. */
  receive(): boolean {
    const any = this.client.responses.length > 0;
    this.client.receive();
    return any;
  }

  reconnect(): void {
    this.stream = this.#newStream();
    this.client.connect();
  }

  /** Lets everything arrive, and the time pass in which a client may declare what it has, but not all patience. */
  drain(): void {
    for (let idle = 0, round = 0; idle < 3; round++) {
      if (round > 10_000) throw new Error("The exchange does not end");
      if (this.serve() || this.receive()) {
        idle = 0;
        continue;
      }
      idle++;
      this.#now += defaultLimits.declareMs / 2;
      this.#perform(step(this.stream, { kind: "tick" }, this.published, this.#now));
    }
  }

  get settled(): boolean {
    return isSettled(this.stream, this.table.revision, this.published, this.#now);
  }

  #newStream(): Stream {
    return createStream(this.client.protocol, this.types, defaultLimits, this.#now);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "close") throw new Error(`The stream was closed: ${effect.reason}`);
      if (effect.kind === "acknowledged") {
        this.published.note(effect);
        this.acknowledged.push(effect);
      }
      if (effect.kind !== "send") continue;
      this.client.responses.push(effect);
      const waiting = this.client.responses.filter(({ type }) => type === effect.type);
      if (waiting.length > 1) throw new Error(`Two responses of ${effect.type} are outstanding`);
    }
  }
}

function keyOf({ type, name, version }: Resource): string {
  return `${type} ${name} ${version}`;
}
