import { setTimeout as sleep } from "node:timers/promises";
import { authContract, type Connection, keepConnected } from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";

export type GatewayCredentialParts = {
  /** The auth process's socket. */
  readonly socketPath: string;
  /** `spiffe://<domain>/node/<node>/gateway`. */
  readonly subject: string;
  readonly ttlMs: number;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
};

type Held = { readonly token: string /** Monotonic, in ms. */; readonly renewAt: number };

/**
 * The gateway's own credentials, with which it asks services for their schemas: one for each service, so that a
 * service that keeps what it was sent gets into no other, and anew at half of its life. Clients' requests never carry
 * them.
 */
export class GatewayCredential {
  readonly #parts: GatewayCredentialParts;
  readonly #first = Promise.withResolvers<void>();
  readonly #held = new Map<string, Held>();
  #connection: Connection<typeof authContract> | null = null;
  #isMissed = false;
  readonly ended: Promise<void>;

  constructor(parts: GatewayCredentialParts) {
    this.#parts = parts;
    const options = { signal: parts.stopping, onFailure: (error: unknown) => this.#missed(error) };
    this.ended = keepConnected(parts.socketPath, authContract, options, (connection, during) =>
      this.#use(connection, during),
    );
  }

  /** The newest for a service; null when there is none. */
  async of(service: string): Promise<string | null> {
    const held = this.#held.get(service);
    const now = performance.now();
    if ((held !== undefined && now < held.renewAt) || this.#connection === null) return held?.token ?? null;
    const { subject, ttlMs } = this.#parts;
    try {
      const { token } = await this.#connection.call.mint({ subject, services: [service], ttlMs });
      this.#forgetOld(now);
      this.#held.delete(service);
      this.#held.set(service, { token, renewAt: now + ttlMs / 2 });
      this.#isMissed = false;
      return token;
    } catch (error) {
      this.#missed(error);
      return held?.token ?? null;
    }
  }

  /** Resolves when they can be had, or after the time. */
  async settled(timeoutMs: number): Promise<void> {
    await Promise.race([this.#first.promise, sleep(timeoutMs, undefined, { ref: false })]);
  }

  async #use(connection: Connection<typeof authContract>, during: AbortSignal): Promise<void> {
    // What was minted before may have been signed by keys that are gone.
    this.#held.clear();
    this.#connection = connection;
    this.#first.resolve();
    await once(during);
    this.#connection = null;
  }

  /** Services come and go; what was not renewed at the end of its life is of one that went. */
  #forgetOld(now: number): void {
    for (const [service, { renewAt }] of this.#held) {
      if (renewAt + this.#parts.ttlMs / 2 > now) return;
      this.#held.delete(service);
    }
  }

  #missed(err: unknown): void {
    if (!this.#isMissed)
      this.#parts.logger.warn({ err }, "no new credential for schema requests: trying again");
    this.#isMissed = true;
  }
}

function once(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
