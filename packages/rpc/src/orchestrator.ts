import { z } from "zod";
import { defineContract, defineMethod } from "./contract.ts";
import { gatewayReport } from "./gateway.ts";
import { invitationMethods, peeringState, peerStatus, routeTables, routeView } from "./peering.ts";
import { processMethods, timestamp } from "./process.ts";
import { routeEvents, routeWatch } from "./route-events.ts";
import { serviceDeclaration, serviceName } from "./service.ts";

/** Where a service comes from: the configuration, `service add`, or a lease held through the SDK. */
export const serviceOrigin = z.enum(["configuration", "runtime", "lease"]);
export type ServiceOrigin = z.infer<typeof serviceOrigin>;

/** A service with all that is known of it. `state` is the worst of what follows from its parts. */
export const serviceStatus = z.object({
  service: serviceDeclaration,
  host: z.string(),
  origin: serviceOrigin,
  state: z.enum(["serving", "pending", "degraded", "failed"]),
  /** Why it is not `serving`, in words; empty when it is. */
  reasons: z.array(z.string()),
  lease: z.object({ expiresAt: timestamp, healthy: z.boolean(), detail: z.string().nullable() }).nullable(),
});
export type ServiceStatus = z.infer<typeof serviceStatus>;

/** One resource type on one proxy's stream. */
const proxyType = z.object({
  type: z.string(),
  subscribed: z.union([z.literal("*"), z.int()]),
  /** Responses sent, and resources that it acknowledged and holds. */
  sent: z.int(),
  acknowledged: z.int(),
  /** Resources on their way to it, or waiting to be. */
  outstanding: z.int(),
  /** Its last rejection since the type was last accepted as a whole. */
  rejected: z.object({ message: z.string(), at: timestamp }).nullable(),
});

export const proxyStatus = z.object({
  node: z.string(),
  connectedAt: timestamp,
  protocol: z.enum(["delta", "state-of-the-world"]),
  types: z.array(proxyType),
});
export type ProxyStatus = z.infer<typeof proxyStatus>;

/** A resource that a proxy rejected; it is held back until its content changes. */
export const quarantinedResource = z.object({
  type: z.string(),
  name: z.string(),
  message: z.string(),
  at: timestamp,
});
export type QuarantinedResource = z.infer<typeof quarantinedResource>;

/** How many services are named in a status, which is asked every second; `listServices` names all. */
export const mostServicesInStatus = 100;

/** What Envoy verifies credentials by, and whether the auth process tells of changes. */
export const credentialsState = z.object({
  connected: z.boolean(),
  /** The version in force; null while there is none. */
  version: z.int().nullable(),
  /** How many credentials are refused before their time. */
  revoked: z.int(),
  /** Why the newest are not in force; null when they are. */
  problem: z.string().nullable(),
});
export type CredentialsState = z.infer<typeof credentialsState>;

const orchestratorDetails = z.object({
  node: z.string(),
  domain: z.string(),
  /** How many services there are, by state. */
  counts: z.object({ serving: z.int(), pending: z.int(), degraded: z.int(), failed: z.int() }),
  /** Up to {@link mostServicesInStatus} of them, by name; those that are not `serving` are among them first. */
  services: z.array(serviceStatus),
  proxies: z.array(proxyStatus),
  quarantined: z.array(quarantinedResource),
  gateway: z.object({ connected: z.boolean(), report: gatewayReport.nullable() }),
  /** Null when the node demands no credentials. */
  credentials: credentialsState.nullable(),
  /** Null for a node that has no peers and takes none. */
  peering: peeringState.nullable(),
});

/** How far a change has come when the call returns. */
export const activation = z.object({
  envoy: z.enum(["acknowledged", "rejected", "pending"]),
  gateway: z.enum(["serving", "excluded", "pending", "not_applicable"]),
  reason: z.string().nullable(),
});
export type Activation = z.infer<typeof activation>;

/** The orchestrator's interface on `run/orchestrator.sock`. */
export const orchestratorContract = defineContract({
  name: "orchestrator",
  versions: [1],
  methods: {
    ...processMethods(orchestratorDetails),
    /** Declares a service at run time, durably; an existing one of the same name is changed. */
    addService: defineMethod(
      z.object({ service: serviceDeclaration, waitMs: z.int().min(0).max(60_000).default(5_000) }),
      z.object({ created: z.boolean(), host: z.string(), activation }),
    ),
    removeService: defineMethod(z.object({ name: serviceName }), z.object({ name: z.string() })),
    listServices: defineMethod(z.undefined(), z.array(serviceStatus)),
    /**
     * Registers a service until the lease ends; renew it before `ttlMs` is over. `holder` names the one instance that
     * asks, e.g. by host, process and chance: to it the lease is given anew, to another one `service_leased` is
     * answered while the holder lives. A holder that has not renewed for half the time is taken to be dead by an
     * instance at the same URL.
     */
    lease: defineMethod(
      z.object({
        service: serviceDeclaration,
        ttlMs: z.int().min(1_000).max(600_000).default(15_000),
        holder: z.string().min(1).max(200),
      }),
      z.object({ leaseId: z.string(), ttlMs: z.int(), host: z.string() }),
    ),
    renew: defineMethod(
      z.object({
        leaseId: z.string(),
        healthy: z.boolean().default(true),
        detail: z.string().max(500).optional(),
      }),
      z.object({ ttlMs: z.int() }),
    ),
    ...invitationMethods,
    /** The peers: those that are configured or were invited, and those that came by themselves. */
    listPeers: defineMethod(z.undefined(), z.array(peerStatus)),
    /** Routes by name: the best of each service and origin, what peers told, what they were told, or what was kept out. */
    listRoutes: defineMethod(
      z.object({ table: routeTables.default("best"), peer: z.string().optional() }),
      z.array(routeView),
    ),
    /**
     * What happens to routes and sessions, from the first call on: at once when something did since `after`, and at the
     * latest after 25 s; give the call a `timeoutMs` above that. Who has not called for ten seconds begins anew. Null for
     * a node that has no peers and takes none. Throws `busy` when too many watch different
     * things, and `draining`.
     */
    watchRoutes: defineMethod(routeWatch, routeEvents.nullable()),
    /**
     * The node is about to go down: peers are told that its services are gone, and the sessions with them end. Says how
     * many there were. Requests are served on until the processes end.
     */
    leave: defineMethod(z.undefined(), z.object({ peers: z.int().min(0) })),
    release: defineMethod(z.object({ leaseId: z.string() }), z.object({ name: z.string().nullable() })),
  },
});
