import { setTimeout as sleep } from "node:timers/promises";
import { readAdmin } from "@catalyst/envoy";
import type { GatewayLink } from "./gateway-link.ts";
import type { ProxyPublisher } from "./proxy-publisher.ts";

export type IngressGateParts = {
  readonly proxies: Pick<ProxyPublisher, "openIngress">;
  readonly gateway: Pick<GatewayLink, "configured">;
  readonly stopping: AbortSignal;
};

/** Clients are let in after this time in any case: services are worth something without a gateway. */
const patienceMs = 10_000;
const settleMs = 2_000;

/** Whether Envoy lets clients in already: this process alone was started again. */
export async function isServing(adminSocket: string): Promise<boolean> {
  try {
    return (await readAdmin(adminSocket).info()).state === "live";
  } catch {
    return false; // it does not run
  }
}

/**
 * Keeps clients out of a node that starts until its gateway can answer: to be told that nobody listens sends them to another
 * node, an error does not.
 */
export class IngressGate {
  readonly #parts: IngressGateParts;
  #isOpen: boolean;

  constructor(parts: IngressGateParts, isOpen: boolean) {
    this.#parts = parts;
    this.#isOpen = isOpen;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when clients are let in, or the process ends. */
  async open(): Promise<void> {
    if (this.#isOpen) return;
    const { proxies, gateway, stopping } = this.#parts;
    const late = sleep(patienceMs, undefined, { signal: stopping, ref: false }).catch(() => undefined);
    await Promise.race([gateway.configured, late]);
    if (stopping.aborted) return;
    await proxies.openIngress(settleMs);
    this.#isOpen = true;
  }
}
