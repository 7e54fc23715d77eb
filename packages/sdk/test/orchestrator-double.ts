import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  orchestratorContract,
  RpcError,
  type RpcErrorCode,
  type ServiceDeclaration,
  serveRpc,
} from "@catalyst/rpc";
import type { Logger } from "@catalyst/telemetry";
import type { RegistrationEvent } from "../src/events.ts";

export const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;

export type Call =
  | {
      readonly kind: "lease";
      readonly service: ServiceDeclaration;
      readonly ttlMs: number;
      readonly holder: string;
    }
  | {
      readonly kind: "renew";
      readonly leaseId: string;
      readonly healthy: boolean;
      readonly detail?: string | undefined;
    }
  | { readonly kind: "release"; readonly leaseId: string };

/** Stands in for the orchestrator on a real socket: grants leases, keeps a record, goes and comes back. */
export class OrchestratorDouble implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "catalyst-sdk-"));
  readonly socket = join(this.#folder, "o.sock");
  readonly calls: Call[] = [];
  readonly leases = new Map<string, string>();
  /** What the next and all later requests for a lease are refused with. */
  refusal: { readonly code: RpcErrorCode; readonly message: string } | null = null;
  #server: AsyncDisposable | null = null;
  #granted = 0;

  async start(): Promise<void> {
    const { calls, leases } = this;
    const unused = () => {
      throw new RpcError("not_explainable", "no part of this test");
    };
    this.#server = await serveRpc({
      socketPath: this.socket,
      process: "orchestrator",
      release: "test",
      contract: orchestratorContract,
      logger: silent,
      implementation: {
        status: unused,
        check: unused,
        explain: unused,
        drain: unused,
        invitePeer: unused,
        joinPeer: unused,
        removePeer: unused,
        listInvitations: unused,
        revokeInvitation: unused,
        addService: unused,
        removeService: unused,
        listServices: unused,
        listPeers: unused,
        listRoutes: unused,
        watchRoutes: unused,
        leave: unused,
        lease: ({ service, ttlMs, holder }) => {
          calls.push({ kind: "lease", service, ttlMs, holder });
          if (this.refusal !== null) throw new RpcError(this.refusal.code, this.refusal.message);
          const leaseId = `lease-${++this.#granted}`;
          leases.set(leaseId, service.name);
          return { leaseId, ttlMs, host: `${service.name}.acme.catalyst.internal` };
        },
        renew: ({ leaseId, healthy, detail }) => {
          calls.push({ kind: "renew", leaseId, healthy, detail });
          if (!leases.has(leaseId)) throw new RpcError("lease_unknown", "the lease has ended");
          return { ttlMs: 1_000 };
        },
        release: ({ leaseId }) => {
          calls.push({ kind: "release", leaseId });
          const name = leases.get(leaseId) ?? null;
          leases.delete(leaseId);
          return { name };
        },
      },
    });
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Collects events, and waits for the next of a kind. */
export class EventLog {
  readonly events: RegistrationEvent[] = [];
  #changed = Promise.withResolvers<void>();

  readonly add = (event: RegistrationEvent): void => {
    this.events.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** Resolves when `count` events of the kind have been seen. */
  async seen(kind: RegistrationEvent["kind"], count = 1): Promise<void> {
    while (this.kinds().filter((each) => each === kind).length < count) await this.#changed.promise;
  }
}
