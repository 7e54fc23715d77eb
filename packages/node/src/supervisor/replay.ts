import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { compileCredentials } from "@catalyst/envoy";
import type { Credentials } from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";
import {
  createXdsServer,
  defaultKey,
  extensionType,
  readSnapshot,
  Snapshot,
  withRoutes,
  type XdsServer,
} from "@catalyst/xds";
import { readCredentials } from "../identity/kept-credentials.ts";

export type ReplayParts = {
  readonly socketPath: string;
  /** What Envoy last acknowledged, written by the orchestrator. */
  readonly journalPath: string;
  /** What credentials are verified by, written by the orchestrator before it is told to Envoy. */
  readonly credentialsPath: string;
  readonly logger: Logger;
};

/** An orchestrator that returns within this time is not stood in for. */
const patienceMs = 300;

/**
 * Stands in for the orchestrator while it is away: serves the last good configuration to an Envoy that starts
 * meanwhile, and is gone when the orchestrator is back, so that Envoy returns to it.
 */
export class Replay implements AsyncDisposable {
  readonly #parts: ReplayParts;
  #server: XdsServer | null = null;
  #wanted = false;
  /** The state of the journal that is served. */
  #served = "";
  #work: Promise<void> = Promise.resolve();

  constructor(parts: ReplayParts) {
    this.#parts = parts;
  }

  /** How many proxies are being served. */
  proxies(): number {
    return this.#server?.proxies().length ?? 0;
  }

  /**
   * Tells whether the orchestrator is there. To be repeated while it is away: the journal may have grown since,
   * because one that hangs was away for us before it was for Envoy.
   */
  orchestratorIs(state: "there" | "away"): void {
    const wanted = state === "away";
    if (!wanted && !this.#wanted) return;
    this.#wanted = wanted;
    this.#work = this.#work.then(() => this.#follow());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.orchestratorIs("there");
    await this.#work;
  }

  async #follow(): Promise<void> {
    const { logger } = this.#parts;
    if (!this.#wanted) {
      const server = this.#server;
      this.#server = null;
      this.#served = "";
      await server?.close();
      if (server !== null) logger.info("the orchestrator is back");
      return;
    }
    if (this.#server === null) await sleep(patienceMs);
    if (!this.#wanted) return;
    try {
      await this.#serve();
    } catch (error) {
      logger.error({ err: error }, "the last good configuration cannot be served");
    }
  }

  /** Those that can be read: damaged ones keep nobody from the rest. */
  #credentials(): Credentials | null {
    const { credentialsPath, logger } = this.#parts;
    try {
      return readCredentials(credentialsPath);
    } catch (error) {
      logger.error({ err: error }, "the credentials that are kept cannot be read");
      return null;
    }
  }

  /** Serves what the journal holds now, unless that is what is served. */
  async #serve(): Promise<void> {
    const { socketPath, journalPath, credentialsPath, logger } = this.#parts;
    const now = `${stampOf(journalPath)} ${stampOf(credentialsPath)}`;
    if (now === this.#served) return;
    const acknowledged = withRoutes(await readSnapshot(journalPath));
    const snapshot = withCredentials(acknowledged, this.#credentials());
    if (snapshot.size === 0) return; // never configured: for Envoy waiting is better than an empty configuration
    if (this.#server === null) {
      logger.warn("the orchestrator is away: serving Envoy its last good configuration");
      this.#server = await createXdsServer({ listen: [`unix:${socketPath}`], checkReferences: false });
    }
    this.#server.set(defaultKey, snapshot);
    this.#served = now;
  }
}

/**
 * The journal is written a moment after Envoy has acknowledged, the credentials before it was told: with those of the
 * file nothing is taken again that was revoked. A node that demands none has none.
 */
export function withCredentials(snapshot: Snapshot, kept: Credentials | null): Snapshot {
  const demanded = [...snapshot].some(({ type }) => type === extensionType);
  if (!demanded || kept === null) return snapshot;
  return new Snapshot([...snapshot, ...compileCredentials(kept)]);
}

/** Changes whenever the file does. */
function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "absent" : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
}
