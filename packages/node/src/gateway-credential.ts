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

/**
 * The gateway's own credential, with which it asks services for their schemas: given by the auth process for all
 * services, and anew at half of its life. Clients' requests never carry it.
 */
export class GatewayCredential {
  readonly #parts: GatewayCredentialParts;
  readonly #first = Promise.withResolvers<void>();
  #token: string | null = null;
  #isMissed = false;
  readonly ended: Promise<void>;

  constructor(parts: GatewayCredentialParts) {
    this.#parts = parts;
    const options = { signal: parts.stopping, onFailure: (error: unknown) => this.#missed(error) };
    this.ended = keepConnected(parts.socketPath, authContract, options, (connection, during) =>
      this.#renew(connection, during),
    );
  }

  /** The newest; null while there was none. */
  current(): string | null {
    return this.#token;
  }

  /** Resolves when there is one, or after the time. */
  async settled(timeoutMs: number): Promise<void> {
    await Promise.race([this.#first.promise, sleep(timeoutMs, undefined, { ref: false })]);
  }

  async #renew(connection: Connection<typeof authContract>, during: AbortSignal): Promise<void> {
    const { subject, ttlMs } = this.#parts;
    while (!during.aborted) {
      const { token } = await connection.call.mint({ subject, services: ["*"], ttlMs });
      this.#token = token;
      this.#isMissed = false;
      this.#first.resolve();
      await sleep(ttlMs / 2, undefined, { signal: during }).catch(() => undefined);
    }
  }

  #missed(err: unknown): void {
    if (!this.#isMissed)
      this.#parts.logger.warn({ err }, "no new credential for schema requests: trying again");
    this.#isMissed = true;
  }
}
