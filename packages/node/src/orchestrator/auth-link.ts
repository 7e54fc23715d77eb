import { replaceFileSync } from "@catalyst/durable";
import {
  authContract,
  type Connection,
  type Credentials,
  type CredentialsState,
  keepConnected,
  watchTimeoutMs,
} from "@catalyst/rpc";
import { readCredentials } from "../identity/kept-credentials.ts";
import type { OrchestratorEvents } from "../orchestrator-events.ts";

export type AuthLinkParts = {
  readonly socketPath: string;
  /** Where the newest credentials are kept for a start without the auth process: public keys, and nothing secret. */
  readonly file: string;
  readonly events: OrchestratorEvents;
  readonly stopping: AbortSignal;
  /** Makes ready what brings them into force when it is called. What it throws leaves those in force that were. */
  readonly prepare: (credentials: Credentials) => () => void;
};

/**
 * The orchestrator's side of the auth process: brings into force what credentials are verified by, as soon as it
 * changes. Without the auth process the last that is known stays.
 */
export class AuthLink {
  readonly #parts: AuthLinkParts;
  #connected = false;
  #taken: Credentials | null = null;
  /** Why the newest are not in force; null when they are. */
  #problem: string | null = null;
  readonly ended: Promise<void>;

  constructor(parts: AuthLinkParts) {
    this.#parts = parts;
    const kept = this.#read();
    if (kept !== null) this.#take(kept, () => {});
    this.ended = keepConnected(
      parts.socketPath,
      authContract,
      { signal: parts.stopping, onFailure: () => this.#lost() },
      (connection, during) => this.#use(connection, during),
    );
  }

  state(): CredentialsState {
    const [connected, taken] = [this.#connected, this.#taken];
    return {
      connected,
      version: taken?.version ?? null,
      revoked: taken?.revoked.length ?? 0,
      problem: this.#problem ?? (taken === null ? "no keys are known yet" : null),
    };
  }

  async #use(connection: Connection<typeof authContract>, during: AbortSignal): Promise<void> {
    let newest = await connection.call.credentials(undefined);
    let heard: number | null = null; // of this process: one that lost its data begins to count anew
    this.#connected = true;
    while (!during.aborted) {
      if (newest.version !== heard || this.#problem !== null) {
        this.#take(newest, (taken) => this.#keep(taken));
      }
      heard = newest.version;
      newest = await connection.call.watch({ after: heard }, { timeoutMs: watchTimeoutMs });
    }
  }

  #lost(): void {
    if (this.#connected) this.#parts.events.authLost();
    this.#connected = false;
  }

  /** On disk first: what was refused once stays so, whatever ends in between. A full disk does not hold it up. */
  #take(newest: Credentials, keep: (newest: Credentials) => void): void {
    try {
      const enforce = this.#parts.prepare(newest);
      keep(newest);
      enforce();
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#parts.events.credentialsUnusable(error);
      return;
    }
    this.#taken = newest;
    this.#problem = null;
    this.#parts.events.credentialsTaken(newest.version, newest.revoked.length);
  }

  #keep(newest: Credentials): void {
    try {
      replaceFileSync(this.#parts.file, JSON.stringify(newest), { mode: 0o600 });
    } catch (error) {
      this.#parts.events.credentialsNotKept(error);
    }
  }

  /** What an earlier process kept; null when there is nothing, or nothing that can be read. */
  #read(): Credentials | null {
    try {
      return readCredentials(this.#parts.file);
    } catch (error) {
      this.#parts.events.credentialsUnusable(error);
      return null;
    }
  }
}
