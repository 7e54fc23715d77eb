import { setTimeout as sleep } from "node:timers/promises";
import { readAdmin, type Trouble } from "@catalyst/envoy";
import type { ServiceDeclaration } from "@catalyst/rpc";
import type { OrchestratorEvents } from "./orchestrator-events.ts";

export type EndpointHealthParts = {
  readonly adminSocket: string;
  readonly events: OrchestratorEvents;
  readonly stopping: AbortSignal;
  /** Names of services at this moment. What Envoy says of anything else is not ours. */
  readonly known: (name: string) => boolean;
};

const leastMs = 1_000;
/** Envoy's main thread answers, which also takes new configuration: at most one part in this many of its time. */
const share = 200;

/** Which services Envoy finds not to be well; nothing is known while Envoy is away. */
export class EndpointHealth {
  readonly #parts: EndpointHealthParts;
  #troubles: ReadonlyMap<string, Trouble> = new Map();
  /** Resolves when it is not followed any more. */
  readonly ended: Promise<void>;

  constructor(parts: EndpointHealthParts) {
    this.#parts = parts;
    this.ended = this.#follow();
  }

  /** What is wrong with a service; null when nothing is, or nothing is known. */
  troubleOf({ name, url }: ServiceDeclaration): string | null {
    const trouble = this.#troubles.get(name);
    if (trouble === undefined) return null;
    return trouble === "unreachable"
      ? `nothing accepts connections at ${url}`
      : `requests to ${url} fail: no answer in time, or 502, 503, 504`;
  }

  async #follow(): Promise<void> {
    const { adminSocket, stopping } = this.#parts;
    const admin = readAdmin(adminSocket);
    while (!stopping.aborted) {
      const began = performance.now();
      this.#take(await admin.unhealthy().catch(() => new Map<string, Trouble>()));
      const tookMs = performance.now() - began;
      await sleep(Math.max(leastMs, share * tookMs), undefined, { signal: stopping }).catch(() => undefined);
    }
  }

  #take(found: ReadonlyMap<string, Trouble>): void {
    const { events, known } = this.#parts;
    const now = new Map([...found].filter(([service]) => known(service)));
    for (const [service, trouble] of now) {
      if (!this.#troubles.has(service)) events.serviceNotWell(service, trouble);
    }
    for (const service of this.#troubles.keys()) {
      if (!now.has(service)) events.serviceWell(service);
    }
    this.#troubles = now;
  }
}
