import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { readAdmin } from "@catalyst/envoy";
import type { ServiceDeclaration } from "@catalyst/rpc";
import type { OrchestratorEvents } from "../orchestrator-events.ts";

export type EndpointHealthParts = {
  readonly adminSocket: string;
  readonly events: OrchestratorEvents;
  readonly stopping: AbortSignal;
  /** The services at this moment. */
  readonly services: () => Iterable<ServiceDeclaration>;
  readonly find: (name: string) => ServiceDeclaration | undefined;
  /** Is told when a service is found unwell, and when it is well again. */
  readonly onChange?: (name: string, isWell: boolean) => void;
};

/** Nothing accepts connections at a service's address, or what was sent there failed. */
type Trouble = "unreachable" | "failing";

const tickMs = 100;
/** Every service is connected to this often, when there are few; with many, as often as `mostPerTick` allows. */
const roundMs = 5_000;
const mostPerTick = 20;
/** A service that was not reached once is tried again after this; after the second time it is unreachable. */
const suspectMs = 1_000;
const connectMs = 1_000;
const leastAskMs = 1_000;
/** Envoy's main thread answers, which also takes new configuration: about one part in this many of its time. */
const share = 200;
/** A busy machine makes one answer slow, which says nothing of the next: so long at most until it is asked again. */
const mostAskMs = 5_000;

/**
 * Which services are not well: those that nothing can connect to, found out by connecting, and those whose requests
 * fail, as Envoy found out. Envoy could connect by itself, but with 10,000 services that would make it start in 8 s
 * in place of 2, because it serves none that it has not tried.
 */
export class EndpointHealth implements AsyncDisposable {
  readonly #parts: EndpointHealthParts;
  readonly #told = new Map<string, Trouble>();
  /** Failures to connect in a row. */
  readonly #unreached = new Map<string, number>();
  #failing: ReadonlySet<string> = new Set();
  #round: Iterator<ServiceDeclaration> | null = null;
  readonly #ended: Promise<unknown>;

  constructor(parts: EndpointHealthParts) {
    this.#parts = parts;
    this.#ended = Promise.all([this.#connectToAll(), this.#retrySuspects(), this.#askEnvoy()]);
  }

  /** What is wrong with a service; null when nothing is, or nothing is known. */
  troubleOf({ name, url }: ServiceDeclaration): string | null {
    const trouble = this.#told.get(name);
    if (trouble === undefined) return null;
    return trouble === "unreachable"
      ? `nothing accepts connections at ${url}`
      : `requests to ${url} fail: no answer in time, or 502, 503, 504`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ended;
  }

  async #connectToAll(): Promise<void> {
    let begun = performance.now();
    while (await this.#pause(tickMs)) {
      for (let count = 0; count < mostPerTick; count++) {
        this.#round ??= this.#parts.services()[Symbol.iterator]();
        const { value, done } = this.#round.next();
        if (done !== true) {
          void this.#probe(value);
          continue;
        }
        this.#round = null;
        if (!(await this.#pause(begun + roundMs - performance.now()))) return;
        begun = performance.now();
        break;
      }
    }
  }

  async #retrySuspects(): Promise<void> {
    while (await this.#pause(suspectMs)) {
      const suspects = [...this.#unreached.keys()].slice(0, (mostPerTick * suspectMs) / tickMs);
      await Promise.all(suspects.map((name) => this.#probeByName(name)));
    }
  }

  async #askEnvoy(): Promise<void> {
    const admin = readAdmin(this.#parts.adminSocket);
    let waitMs = leastAskMs;
    while (await this.#pause(waitMs)) {
      const began = performance.now();
      const before = this.#failing;
      this.#failing = await admin.ejecting().catch(() => new Set<string>());
      waitMs = Math.min(mostAskMs, Math.max(leastAskMs, share * (performance.now() - began)));
      const changed = [...new Set([...before, ...this.#failing])];
      await Promise.all(changed.map((name) => this.#probeByName(name)));
    }
  }

  #probeByName(name: string): Promise<void> | void {
    const service = this.#parts.find(name);
    if (service !== undefined) return this.#probe(service);
    this.#unreached.delete(name);
    this.#told.delete(name);
  }

  async #probe(service: ServiceDeclaration): Promise<void> {
    const { name } = service;
    const reached = await canConnect(new URL(service.url), this.#parts.stopping);
    if (this.#parts.stopping.aborted) return;
    if (this.#parts.find(name)?.url !== service.url) return; // it moved meanwhile
    if (reached) this.#unreached.delete(name);
    else this.#unreached.set(name, (this.#unreached.get(name) ?? 0) + 1);
    const unreachable = (this.#unreached.get(name) ?? 0) >= 2;
    this.#tell(name, unreachable ? "unreachable" : this.#failing.has(name) ? "failing" : null);
  }

  #tell(name: string, trouble: Trouble | null): void {
    const before = this.#told.get(name) ?? null;
    if (before === trouble) return;
    if (trouble === null) {
      this.#told.delete(name);
      this.#parts.events.serviceWell(name);
    } else {
      this.#told.set(name, trouble);
      this.#parts.events.serviceNotWell(name, trouble);
    }
    this.#parts.onChange?.(name, trouble === null);
  }

  /** False when it is time to end. */
  async #pause(ms: number): Promise<boolean> {
    const { stopping } = this.#parts;
    await sleep(Math.max(0, ms), undefined, { signal: stopping }).catch(() => undefined);
    return !stopping.aborted;
  }
}

function canConnect({ protocol, hostname, port }: URL, stopping: AbortSignal): Promise<boolean> {
  if (stopping.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
      timeout: connectMs,
    });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
    socket.unref();
  });
}
