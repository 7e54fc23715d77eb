import { z } from "zod";
import { defineContract, defineMethod } from "./contract.ts";
import { processMethods, timestamp } from "./process.ts";
import { serviceName, subscriptionTransport } from "./service.ts";

/** All that the gateway has to serve, as one whole: a newer version replaces an older one. */
export const gatewayUpdate = z.strictObject({
  /** Grows with every change; an update with a smaller one is refused. */
  version: z.int().min(1),
  /** Envoy's egress listener, or one of the gateway's own: it reaches every service through it, by Host. */
  egress: z.union([
    z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) }),
    z.strictObject({ socketPath: z.string() }),
  ]),
  services: z.array(
    z.strictObject({
      name: serviceName,
      /** The Host that selects the service on egress, e.g. `products.acme.catalyst.internal`. */
      host: z.string(),
      /** Path of the GraphQL endpoint at that Host. */
      path: z.string().startsWith("/"),
      timeoutMs: z.int().min(1),
      /** How subscriptions reach the service; `auto` when left out. */
      subscriptions: subscriptionTransport.optional(),
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

/** A schema that was put in force: of which services, each with the digest of its own. */
export const schemaRecord = z.object({
  generation: z.int().min(1),
  since: timestamp,
  /** Null when nothing was served. */
  schemaDigest: z.string().nullable(),
  services: z.array(z.object({ name: z.string(), schemaDigest: z.string() })),
});
export type SchemaRecord = z.infer<typeof schemaRecord>;

/** What one service gave, and what is made of it. */
export const serviceSchemaReport = z.object({
  /** What is served of it; the digest there is that of the schema it is served with. */
  service: gatewayServiceReport,
  /** What it gave last; null when it never did. */
  given: z
    .object({
      kind: z.enum(["federation", "plain"]),
      sdl: z.string(),
      schemaDigest: z.string(),
      /** Since when it gives this one; when it is of an earlier process, since this one started. */
      since: timestamp,
    })
    .nullable(),
});
export type ServiceSchemaReport = z.infer<typeof serviceSchemaReport>;

/** A place in a document; both count from 1. */
const place = z.object({ line: z.int().min(1), column: z.int().min(1) });

/** Entities that are asked of a service in one request: by which keys, and where in the answer they stand. */
const entityBatch = z.object({
  /** Selections of the key and of what is required, such as `Product { id }`; the same for all of the paths. */
  keys: z.array(z.string()),
  /** Fields from the root, `@` for the elements of a list, `(A|B)` for the objects of these types alone. */
  paths: z.array(z.string()).min(1),
});

/** A request to one service. */
const fetchView = z.object({
  service: z.string(),
  /** What is sent, as GraphQL. */
  operation: z.string(),
  /** Variables of the client's operation that are sent along. */
  variables: z.array(z.string()),
});
type FetchView = z.infer<typeof fetchView>;

/** One step of how an operation is done. */
export type PlanStepView =
  | { readonly kind: "sequence" | "parallel"; readonly steps: readonly PlanStepView[] }
  | (FetchView & { readonly kind: "fetch" })
  | (FetchView & { readonly kind: "entities"; readonly batches: readonly z.infer<typeof entityBatch>[] })
  /** What is subscribed to, and what is joined to each event. */
  | (FetchView & { readonly kind: "subscription"; readonly joins: PlanStepView | null });

const planStepView: z.ZodType<PlanStepView> = z.lazy(() =>
  z.union([
    z.object({ kind: z.enum(["sequence", "parallel"]), steps: z.array(planStepView) }),
    fetchView.extend({ kind: z.literal("fetch") }),
    fetchView.extend({ kind: z.literal("entities"), batches: z.array(entityBatch) }),
    fetchView.extend({ kind: z.literal("subscription"), joins: planStepView.nullable() }),
  ]),
);

/** How an engine does an operation. */
export const planView = z.object({
  engine: z.string(),
  /** Null when there is nothing to fetch, or when the engine plans while it runs: `note` tells. */
  step: planStepView.nullable(),
  /** The variables of `@skip` and `@include`, and what the plan takes them for. */
  conditions: z.array(z.object({ variable: z.string(), holds: z.boolean() })),
  note: z.string().nullable(),
});
export type PlanView = z.infer<typeof planView>;

/** How an operation would be done now, or why it would be refused. */
export const operationPlan = z.object({
  generation: z.int().min(1),
  errors: z.array(z.object({ message: z.string(), code: z.string().nullable(), places: z.array(place) })),
  /** Null when there are errors. */
  plan: planView.nullable(),
  /** The estimate that `maxCost` bounds; null when there are errors. */
  cost: z.number().nullable(),
});
export type OperationPlan = z.infer<typeof operationPlan>;

/**
 * `breaking`: an operation that was valid may be refused, or its answer hold what its client does not expect of the
 * type; `dangerous`: operations stay valid, and answers may differ from what a client was written for; `safe`: neither.
 */
export const changeImpact = z.enum(["breaking", "dangerous", "safe"]);
export type ChangeImpact = z.infer<typeof changeImpact>;

/** One difference between two schemas. */
export const schemaChange = z.object({
  impact: changeImpact,
  /** GraphQL, "Schema coordinates": `Type`, `Type.field`, `Type.field(argument:)`, `@directive`. */
  coordinate: z.string(),
  message: z.string(),
  /** Services whose change is the cause; empty when that is not known. */
  services: z.array(z.string()),
});
export type SchemaChange = z.infer<typeof schemaChange>;

/** A service whose schema is another one; null before it was added, and after it was removed. */
const serviceChange = z.object({
  name: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
});

/** What changed between two schemas. */
export const schemaDiff = z.object({
  /** Null when there is none before. */
  from: z.int().min(1).nullable(),
  /** Null for a schema that was given. */
  to: z.int().min(1).nullable(),
  /** Services first added, removed or changed, with the digests of their schemas. */
  services: z.array(serviceChange),
  /** How many changes there are. */
  counts: z.record(changeImpact, z.int().min(0)),
  /** The gravest first; no more than 5,000. */
  changes: z.array(schemaChange),
});
export type SchemaDiff = z.infer<typeof schemaDiff>;

/** The longest schema that is taken, in characters. */
const maxSdlChars = 8 * 1024 * 1024;

/** What is compared: two generations, or the schema in force with one that is given. */
export const diffQuestion = z.strictObject({
  /** Default: the one before `to`. */
  from: z.int().min(1).optional(),
  /** Default: the one in force. */
  to: z.int().min(1).optional(),
  /** A schema to compare the one in force with, in place of generations. */
  with: z.string().max(maxSdlChars).optional(),
});
export type DiffQuestion = z.infer<typeof diffQuestion>;

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
    /** The schema served now, as clients see it and as the engine does; null when nothing is served. */
    schema: defineMethod(
      z.undefined(),
      z.object({
        generation: z.int().min(0),
        sdl: z.string().nullable(),
        supergraphSdl: z.string().nullable(),
      }),
    ),
    /** Throws `service_not_found`. */
    serviceSchema: defineMethod(z.object({ service: serviceName }), serviceSchemaReport),
    /** The schemas that are kept, the newest first. */
    history: defineMethod(z.undefined(), z.array(schemaRecord)),
    /**
     * Throws `generation_unknown`, `invalid_request` for a schema that cannot be read, and `composition_failed` for one
     * that takes too long or too much memory to compare.
     */
    diff: defineMethod(diffQuestion, schemaDiff),
    /** How an operation would be done. Throws `generation_unknown` when nothing is served. */
    plan: defineMethod(
      z.strictObject({
        document: z.string().max(1024 * 1024),
        operationName: z.string().optional(),
        /** Decide the conditions, and are checked, when they are given. */
        variables: z.record(z.string(), z.unknown()).optional(),
      }),
      operationPlan,
    ),
  },
});
