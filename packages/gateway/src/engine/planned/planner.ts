import { type ChildProcess, fork } from "node:child_process";
import type { PlanNode } from "@graphql-hive/router-query-planner";
import { PlanFailure } from "../plan-failure.ts";
import { knowsItsKeys } from "./known-keys.ts";
import type { OperationPlanner, SchemaPlanner } from "./operation-planner.ts";
import { compilePlan } from "./plan.ts";

/** What the planner is asked. `number` counts requests; a schema is loaded before anything is planned on it. */
export type PlannerRequest =
  | {
      readonly kind: "load";
      readonly number: number;
      readonly schema: number;
      readonly supergraphSdl: string;
    }
  | {
      readonly kind: "plan";
      readonly number: number;
      readonly schema: number;
      readonly query: string;
      readonly operationName: string | undefined;
    }
  | { readonly kind: "drop"; readonly schema: number };

export type PlannerAnswer =
  | { readonly number: number; readonly ok: true; readonly node: PlanNode | null }
  | { readonly number: number; readonly ok: false; readonly message: string };

/** What the process says first: why it cannot plan on this system, or null. */
export type PlannerReadiness = { readonly unavailable: string | null };

/** Operations that are remembered for not being planned, for each schema. */
const maxFailed = 1_000;
/** Requests that wait at a time. */
const maxPending = 1_000;

type Asked = Exclude<PlannerRequest, { kind: "drop" }>;
type Pending = {
  readonly request: Asked;
  readonly resolve: (node: PlanNode | null) => void;
  readonly reject: (failure: PlanFailure) => void;
};

export type PlannerLimits = {
  /** How long one plan may take. */
  readonly planTimeoutMs: number;
  /** How long reading one schema may take. */
  readonly loadTimeoutMs: number;
};

const defaultLimits: PlannerLimits = { planTimeoutMs: 2_000, loadTimeoutMs: 30_000 };

/**
 * The planner, in a process of its own that starts with the first schema. Requests are answered one after the other:
 * when the process ends or hangs, the first of them is the culprit and fails, and the rest go to the next process.
 */
export class Planner implements OperationPlanner {
  readonly #limits: PlannerLimits;
  /** Schemas in use, to load them again. */
  readonly #schemas = new Map<number, string>();
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | null = null;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(limits: Partial<PlannerLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Processes that were started so far. */
  starts = 0;
  readonly #readiness = Promise.withResolvers<string | null>();

  /** Why the planner does not run on this system; null when it does. */
  async unavailable(): Promise<string | null> {
    if (this.#closed) return "the planner was closed";
    if (this.#child === null) this.#start();
    this.#child?.channel?.ref();
    const reason = await this.#readiness.promise;
    this.#watch();
    return reason;
  }

  /** Rejects with {@link PlanFailure} for a supergraph that cannot be planned on. */
  async load(supergraphSdl: string): Promise<SchemaPlanner> {
    const schema = ++this.#count;
    const drop = () => {
      if (this.#schemas.delete(schema)) this.#send({ kind: "drop", schema });
    };
    this.#schemas.set(schema, supergraphSdl);
    try {
      await this.#ask({ kind: "load", number: ++this.#count, schema, supergraphSdl });
    } catch (error) {
      drop();
      throw error;
    }
    const failed = new Map<string, PlanFailure>();
    const plan = async (query: string, operationName: string | undefined) => {
      const known = failed.get(query);
      if (known !== undefined) throw known;
      try {
        const node = await this.#ask({ kind: "plan", number: ++this.#count, schema, query, operationName });
        if (node === null) return null;
        if (losesField(node)) throw new PlanFailure("a field that is required is not read");
        const compiled = compilePlan(node);
        if (!knowsItsKeys(compiled)) throw new PlanFailure("a key is not asked for that is needed");
        return compiled;
      } catch (error) {
        // What ended the process once would end it again.
        if (failed.size >= maxFailed) failed.clear();
        if (error instanceof PlanFailure && !error.passing) failed.set(query, error);
        throw error;
      }
    };
    return { plan, [Symbol.dispose]: drop };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#child = null;
    clearTimeout(this.#timer);
    this.#readiness.resolve("the planner was closed");
    for (const { reject } of this.#pending.values()) reject(closed());
    this.#pending.clear();
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.ref();
    child.kill("SIGKILL");
    await exited;
  }

  #ask(request: Asked): Promise<PlanNode | null> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#pending.size >= maxPending) {
      return Promise.reject(new PlanFailure("too many operations wait to be planned", { passing: true }));
    }
    const { promise, resolve, reject } = Promise.withResolvers<PlanNode | null>();
    this.#pending.set(request.number, { request, resolve, reject });
    if (this.#child === null) this.#start();
    else this.#send(request);
    if (this.#pending.size === 1) this.#watch();
    return promise;
  }

  #send(request: PlannerRequest): void {
    if (this.#child?.connected === true) this.#child.send(request, () => undefined);
  }

  /** Starts a process, and gives it the schemas in use and what is still to be answered. */
  #start(): void {
    this.starts += 1;
    const child = fork(new URL("./planner-process.ts", import.meta.url), {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
    this.#child = child;
    // What the planner is asked keeps the caller alive by itself; waiting for questions does not.
    child.unref();
    child.channel?.unref();
    child.on("message", (answer: PlannerAnswer | PlannerReadiness) => {
      if ("unavailable" in answer) this.#readiness.resolve(answer.unavailable);
      else this.#settle(answer);
    });
    child.once("error", () => child.kill("SIGKILL"));
    child.once("exit", () => this.#ended(child));
    const loading = new Set<number>();
    for (const { request } of this.#pending.values()) {
      if (request.kind === "load") loading.add(request.schema);
    }
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const [schema, supergraphSdl] of this.#schemas) {
      if (!loading.has(schema)) this.#reload(schema, supergraphSdl);
    }
    for (const pending of waiting) this.#pending.set(pending.request.number, pending);
    for (const { request } of this.#pending.values()) this.#send(request);
  }

  /** Loads a schema that was in use; one that ends the process now is given up. */
  #reload(schema: number, supergraphSdl: string): void {
    const request = { kind: "load", number: ++this.#count, schema, supergraphSdl } as const;
    const reject = () => void this.#schemas.delete(schema);
    this.#pending.set(request.number, { request, resolve: () => undefined, reject });
  }

  #settle(answer: PlannerAnswer): void {
    const pending = this.#pending.get(answer.number);
    if (pending === undefined) return;
    this.#pending.delete(answer.number);
    if (answer.ok) pending.resolve(answer.node);
    else pending.reject(new PlanFailure(answer.message));
    this.#watch();
  }

  /** Gives the request that is answered next its time. */
  #watch(): void {
    clearTimeout(this.#timer);
    const [first] = this.#pending.values();
    if (first === undefined) {
      this.#child?.channel?.unref();
      return;
    }
    this.#child?.channel?.ref();
    const { planTimeoutMs, loadTimeoutMs } = this.#limits;
    const ms = first.request.kind === "load" ? loadTimeoutMs : planTimeoutMs;
    this.#timer = setTimeout(() => this.#child?.kill("SIGKILL"), ms);
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#readiness.resolve(`its process ended with ${child.signalCode ?? child.exitCode}`);
    const [culprit] = this.#pending.values();
    if (culprit !== undefined) {
      this.#pending.delete(culprit.request.number);
      culprit.reject(new PlanFailure("the planner ended, or took too long"));
    }
    if (this.#pending.size > 0) this.#start();
    this.#watch();
  }
}

function closed(): PlanFailure {
  return new PlanFailure("the planner was closed", { passing: true });
}

/**
 * Whether a field is fetched under a name of the planner's own that nothing reads: what requires it, with arguments,
 * would be given the field as the client wants it, with others.
 */
function losesField(node: PlanNode): boolean {
  const names = new Set<string>();
  const read = JSON.stringify(node, (key, value) => {
    if (key !== "operation") return value;
    for (const [name] of String(value).matchAll(/\b_internal_qp_alias_\d+\b/g)) names.add(name);
    return undefined;
  });
  return names.values().some((name) => !read.includes(`"${name}"`));
}
