import { readFileSync } from "node:fs";
import { replaceFileSync } from "@catalyst/durable";
import {
  authContract,
  type Connection,
  type Credentials,
  type CredentialsState,
  credentials,
  keepConnected,
} from "@catalyst/rpc";
import type { OrchestratorEvents } from "./orchestrator-events.ts";

export type AuthLinkParts = {
  readonly socketPath: string;
  /** Where the newest credentials are kept for a start without the auth process: public keys, and nothing secret. */
  readonly file: string;
  readonly events: OrchestratorEvents;
  readonly stopping: AbortSignal;
  /** Brings them into force. What it throws leaves those in force that were. */
  readonly take: (credentials: Credentials) => void;
};

/** The auth process answers a watch after 25 s at the latest. */
const watchTimeoutMs = 35_000;

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
    if (kept !== null) this.#take(kept);
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
    this.#connected = true;
    while (!during.aborted) {
      if (newest.version !== this.#taken?.version || this.#problem !== null) this.#renew(newest);
      newest = await connection.call.watch({ after: newest.version }, { timeoutMs: watchTimeoutMs });
    }
  }

  #lost(): void {
    if (this.#connected) this.#parts.events.authLost();
    this.#connected = false;
  }

  /** In force first: a revocation does not wait for the disk. */
  #renew(newest: Credentials): void {
    if (!this.#take(newest)) return;
    try {
      replaceFileSync(this.#parts.file, JSON.stringify(newest), { mode: 0o600 });
    } catch (error) {
      this.#parts.events.credentialsNotKept(error);
    }
  }

  #take(newest: Credentials): boolean {
    try {
      this.#parts.take(newest);
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#parts.events.credentialsUnusable(error);
      return false;
    }
    this.#taken = newest;
    this.#problem = null;
    this.#parts.events.credentialsTaken(newest.version, newest.revoked.length);
    return true;
  }

  /** What an earlier process kept; null when there is nothing, or nothing that can be read. */
  #read(): Credentials | null {
    try {
      return credentials.parse(JSON.parse(readFileSync(this.#parts.file, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#parts.events.credentialsUnusable(error);
      return null;
    }
  }
}
