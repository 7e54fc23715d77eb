import { setTimeout as sleep } from "node:timers/promises";
import {
  type Connection,
  type GatewayReport,
  type GatewayUpdate,
  gatewayContract,
  keepConnected,
  RpcError,
} from "@catalyst/rpc";
import type { OrchestratorEvents } from "../orchestrator-events.ts";
import type { GatewaySide } from "./activation.ts";

type Update = Omit<GatewayUpdate, "version">;

export type GatewayLinkParts = {
  readonly socketPath: string;
  readonly events: OrchestratorEvents;
  readonly stopping: AbortSignal;
  /** The next number of an update; survives a restart, because the gateway refuses older ones. */
  readonly nextVersion: () => number;
  /** Is told what the gateway serves, whenever it is asked. */
  readonly onReport?: (report: GatewayReport) => void;
};

/** Composition of many schemas may take a while; longer than this and the gateway is taken to hang. */
const applyTimeoutMs = 60_000;
const reportEveryMs = 1_000;

/** The orchestrator's side of the gateway: gives it the newest update, also to one that was restarted. */
export class GatewayLink implements GatewaySide {
  readonly #parts: GatewayLinkParts;
  #connection: Connection<typeof gatewayContract> | null = null;
  #newest: GatewayUpdate | null = null;
  #report: GatewayReport | null = null;
  readonly #configured = Promise.withResolvers<void>();
  readonly ended: Promise<void>;

  constructor(parts: GatewayLinkParts) {
    this.#parts = parts;
    this.ended = keepConnected(
      parts.socketPath,
      gatewayContract,
      { signal: parts.stopping, onFailure: () => this.#lost() },
      (connection, during) => this.#use(connection, during),
    );
  }

  /** Resolves when a gateway has taken an update for the first time: it listens from then on. */
  get configured(): Promise<void> {
    return this.#configured.promise;
  }

  connected(): boolean {
    return this.#connection !== null;
  }

  report(): GatewayReport | null {
    return this.#report;
  }

  async apply(update: Update): Promise<void> {
    this.#newest = { version: this.#parts.nextVersion(), ...update };
    await this.#send();
  }

  async #use(connection: Connection<typeof gatewayContract>, during: AbortSignal): Promise<void> {
    this.#connection = connection;
    await this.#send();
    while (!during.aborted) {
      this.#take(await connection.call.report(undefined));
      await sleep(reportEveryMs, undefined, { signal: during }).catch(() => undefined);
    }
  }

  async #send(): Promise<void> {
    const [connection, update] = [this.#connection, this.#newest];
    if (connection === null || update === null) return;
    try {
      this.#take(await connection.call.apply(update, { timeoutMs: applyTimeoutMs }));
      this.#configured.resolve();
    } catch (error) {
      if (error instanceof RpcError && error.code === "update_stale" && update === this.#newest) {
        // The gateway outlived a lost state file and is ahead: number the same content anew.
        const { version } = await connection.call.report(undefined);
        this.#newest = { ...update, version: Math.max(version + 1, this.#parts.nextVersion()) };
        this.#take(await connection.call.apply(this.#newest, { timeoutMs: applyTimeoutMs }));
        return;
      }
      if (error instanceof RpcError && error.code === "update_stale") return;
      throw error;
    }
  }

  #take(report: GatewayReport): void {
    this.#report = report;
    this.#parts.onReport?.(report);
  }

  #lost(): void {
    if (this.#connection !== null) this.#parts.events.gatewayLost();
    this.#connection = null;
    this.#report = null;
  }
}
