import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  type Connection,
  keepConnected,
  orchestratorContract,
  RpcError,
  type ServiceDeclaration,
  type ServiceDeclarationInput,
  serviceDeclaration,
} from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";
import { environment } from "./environment.ts";
import { SdkError } from "./errors.ts";
import { logRegistration, type RegistrationEvent } from "./events.ts";
import { checkHealth, type HealthCheck } from "./health.ts";
import {
  type Instant,
  initialState,
  type LeaseCall,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseState,
  step,
} from "./lease.ts";
import { findNodeSocket, type NodeLocation } from "./node-socket.ts";

/** Monotonic time, as an argument. */
export type Clock = {
  readonly now: () => Instant;
  /** Runs once after the delay; the returned function cancels it. */
  readonly schedule: (run: () => void, delayMs: number) => () => void;
};

export type RegisterOptions = NodeLocation & {
  readonly service: ServiceDeclarationInput;
  /** How long the node keeps the service after its last word. 1,000 to 600,000 ms, default 15,000. */
  readonly ttlMs?: number | undefined;
  /** Default: healthy as long as the process renews. */
  readonly health?: HealthCheck | undefined;
  /** Releases the registration when it aborts. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: RegistrationEvent) => void) | undefined;
  /** Writes a line for every event. Default: none. */
  readonly logger?: Logger | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Spreads renewals and retries; from 0 to 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
};

/** `waiting`: not acknowledged at present, trying. `refused` and `released` are for good. */
export type RegistrationState = "waiting" | "registered" | "refused" | "released";

/** A service's place in its node. */
export type Registration = AsyncDisposable & {
  /**
   * Resolves when the node has acknowledged the service for the first time. Rejects with {@link SdkError}
   * `service_declared`, `declaration_refused` or `released`; nobody has to listen.
   */
  readonly ready: Promise<void>;
  readonly state: RegistrationState;
  /** The Host at which the mesh reaches the service, as the node last said; null before. */
  readonly host: string | null;
  /** Tells the node that the service leaves, waiting at most 2 s for its answer. Never rejects. */
  release(): Promise<void>;
};

const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Registers a service with its node, and keeps it registered until it is released: renews the lease, reports
 * health, and registers again after the node was away or has forgotten. A node that is down is waited for.
 *
 * One instance holds a name at a time. Another one that registers the same name, from a second replica or after a
 * mistake, waits, is told so by the event `waiting` with the code `service_leased`, and by `conflict` when the wait is
 * longer than its own `ttlMs`; it follows when the holder releases the lease or dies. The successor of an instance that
 * was killed waits for half of that one's `ttlMs` at the same URL, and for all of it at another. Replicas that are to
 * serve together stand behind one URL, such as a load balancer's, and one of them registers it.
 *
 * Throws {@link SdkError} `declaration_invalid`.
 *
 * @example
 * ```ts
 * await using registration = register({
 *   service: { name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql" },
 *   health: async () => ({ healthy: await database.ping() }),
 * });
 * await registration.ready;
 * ```
 */
export function register(options: RegisterOptions): Registration {
  const parsed = serviceDeclaration.safeParse(options.service);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`);
    throw new SdkError("declaration_invalid", `the service cannot be registered: ${faults.join("; ")}`);
  }
  const { ttlMs = 15_000 } = options;
  if (!Number.isInteger(ttlMs) || ttlMs < 1_000 || ttlMs > 600_000) {
    throw new SdkError("declaration_invalid", `ttlMs is ${ttlMs}: give a whole number from 1000 to 600000`);
  }
  return new LeasedRegistration(parsed.data, ttlMs, options);
}

type OrchestratorConnection = Connection<typeof orchestratorContract>;

/** Carries out what the machine in `lease.ts` asks for. */
class LeasedRegistration implements Registration {
  readonly #service: ServiceDeclaration;
  readonly #ttlMs: number;
  /** This instance of the service, told apart from all others, also from the one that it follows. */
  readonly #holder = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  readonly #options: RegisterOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #disconnect = new AbortController();
  #state: LeaseState = initialState;
  #host: string | null = null;
  #connection: OrchestratorConnection | null = null;
  #cancelWake: () => void = () => undefined;

  constructor(service: ServiceDeclaration, ttlMs: number, options: RegisterOptions) {
    this.#service = service;
    this.#ttlMs = ttlMs;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#ready.promise.catch(() => undefined);
    void this.#stayConnected(findNodeSocket(options, environment));
    const release = () => void this.release();
    if (options.signal?.aborted === true) release();
    else options.signal?.addEventListener("abort", release, { once: true, signal: this.#disconnect.signal });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get host(): string | null {
    return this.#host;
  }

  get state(): RegistrationState {
    const state = this.#state;
    if (state.kind === "refused" || state.kind === "released") return state.kind;
    return "confirmed" in state && state.confirmed ? "registered" : "waiting";
  }

  async release(): Promise<void> {
    this.#take({ kind: "release" });
    await this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #stayConnected(socket: string): Promise<void> {
    const { signal } = this.#disconnect;
    const onFailure = (error: unknown) => {
      this.#connection = null;
      this.#take({ kind: "unavailable", ...failureOf(error) });
    };
    return keepConnected(
      socket,
      orchestratorContract,
      { signal, random: this.#random, onFailure },
      async (connection) => {
        this.#connection = connection;
        this.#take({ kind: "connected" });
      },
    );
  }

  #take(event: LeaseEvent): void {
    const [next, effects] = step(this.#state, event, this.#clock.now(), this.#ttlMs);
    if (next !== this.#state) this.#cancelWake();
    this.#state = next;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LeaseEffect): void {
    switch (effect.kind) {
      case "wake": {
        const delayMs = effect.earliestMs + this.#random() * (effect.latestMs - effect.earliestMs);
        this.#cancelWake = this.#clock.schedule(() => this.#take({ kind: "wake" }), delayMs);
        break;
      }
      case "tell":
        this.#tell(effect.event);
        break;
      case "disconnect":
        this.#disconnect.abort();
        this.#ended.resolve();
        break;
      default:
        void this.#call(effect);
    }
  }

  /** Makes one call, and takes its outcome unless the connection has been replaced meanwhile. */
  async #call(effect: LeaseEffect & { readonly kind: LeaseCall }): Promise<void> {
    const connection = this.#connection;
    if (connection === null) return;
    let outcome: LeaseEvent;
    try {
      outcome = await this.#ask(connection, effect);
    } catch (error) {
      outcome = { kind: "failed", call: effect.kind, ...failureOf(error) };
    }
    if (this.#connection === connection) this.#take(outcome);
  }

  async #ask(
    { call }: OrchestratorConnection,
    effect: LeaseEffect & { readonly kind: LeaseCall },
  ): Promise<LeaseEvent> {
    if (effect.kind === "register") {
      const { leaseId, ttlMs, host } = await call.lease({
        service: this.#service,
        ttlMs: this.#ttlMs,
        holder: this.#holder,
      });
      return { kind: "granted", lease: { id: leaseId, ttlMs, host } };
    }
    const { leaseId } = effect;
    if (effect.kind === "renew") {
      const timeoutMs = Math.floor(this.#ttlMs / 6);
      const { health = () => ({ healthy: true }) } = this.#options;
      const { ttlMs } = await call.renew(
        { leaseId, ...(await checkHealth(health, timeoutMs)) },
        { timeoutMs },
      );
      return { kind: "renewed", ttlMs };
    }
    await call.release({ leaseId });
    return { kind: "released" };
  }

  #tell(event: RegistrationEvent): void {
    if (event.kind === "registered") {
      this.#host = event.host;
      this.#ready.resolve();
    } else if (event.kind === "refused") {
      this.#ready.reject(new SdkError(event.code, event.message));
    } else if (event.kind === "released") {
      this.#ready.reject(
        new SdkError("released", "the registration was released before it was acknowledged"),
      );
    }
    if (this.#options.logger) logRegistration(this.#options.logger, this.#service.name, event);
    this.#options.onEvent?.(event);
  }
}

function failureOf(error: unknown): Pick<RpcError, "code" | "message"> {
  if (error instanceof RpcError) return { code: error.code, message: error.message };
  return { code: "internal", message: error instanceof Error ? error.message : String(error) };
}
