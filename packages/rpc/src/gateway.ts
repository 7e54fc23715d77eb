import { z } from "zod";
import { defineContract, defineMethod } from "./contract.ts";
import { processMethods, timestamp } from "./process.ts";
import { serviceName } from "./service.ts";

/** All that the gateway has to serve, as one whole: a newer version replaces an older one. */
export const gatewayUpdate = z.strictObject({
  /** Grows with every change; an update with a smaller one is refused. */
  version: z.int().min(1),
  /** Envoy's egress listener: the gateway reaches every service through it, by Host. */
  egress: z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) }),
  services: z.array(
    z.strictObject({
      name: serviceName,
      /** The Host that selects the service on egress, e.g. `products.acme.catalyst.internal`. */
      host: z.string(),
      /** Path of the GraphQL endpoint at that Host. */
      path: z.string().startsWith("/"),
      timeoutMs: z.int().min(1),
      /** Changes when the service was declared or registered anew: its schema is fetched again then. */
      revision: z.string(),
    }),
  ),
});
export type GatewayUpdate = z.infer<typeof gatewayUpdate>;

/** `stale` serves the last good schema; `excluded` serves nothing of the service. `reason` says why. */
export const gatewayServiceReport = z.object({
  name: z.string(),
  state: z.enum(["serving", "stale", "excluded"]),
  kind: z.enum(["federation", "plain"]).nullable(),
  schemaDigest: z.string().nullable(),
  reason: z.string().nullable(),
  since: timestamp,
});
export type GatewayServiceReport = z.infer<typeof gatewayServiceReport>;

/** What the gateway serves now. */
export const gatewayReport = z.object({
  /** Version of the update in force; 0 before the first. */
  version: z.int().min(0),
  /** Counts the schemas that were put in force since the process started. */
  generation: z.int().min(0),
  schemaDigest: z.string().nullable(),
  services: z.array(gatewayServiceReport),
});
export type GatewayReport = z.infer<typeof gatewayReport>;

/** The gateway's interface on `run/gateway.sock`. */
export const gatewayContract = defineContract({
  name: "gateway",
  versions: [1],
  methods: {
    ...processMethods(gatewayReport),
    /** Answers with what is served when the update is in force; throws `update_stale` for an older version. */
    apply: defineMethod(gatewayUpdate, gatewayReport),
    report: defineMethod(z.undefined(), gatewayReport),
    /** Fetches one service's schema now. */
    refresh: defineMethod(z.object({ service: serviceName }), gatewayReport),
    /** The schema served now, as SDL; null when nothing is served. */
    schema: defineMethod(z.undefined(), z.object({ sdl: z.string().nullable() })),
  },
});
