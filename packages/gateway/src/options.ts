import { option, z } from "@catalyst/config";

const second = 1_000;
const minute = 60 * second;
const mebibyte = 1024 * 1024;
/** Headers that belong to one connection or one body: the sub-request has its own. */
const unforwardable =
  /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|accept|accept-encoding|x-request-id)$/;

/** The section `gateway` of a node's configuration. */
export const gatewayOptions = z.strictObject({
  graphiql: option(z.boolean().default(false), {
    description: "Serves GraphiQL, from the package, to browsers that open the endpoint.",
  }),
  introspection: option(z.boolean().default(true), {
    description: "Whether clients may query the schema; GraphiQL needs it.",
  }),
  maxBodyBytes: option(
    z
      .int()
      .min(1024)
      .max(64 * mebibyte)
      .default(mebibyte),
    {
      description: "Longest body of a client's request, in bytes.",
      range: "1 KiB to 64 MiB",
    },
  ),
  maxTokens: option(z.int().min(100).max(100_000).default(5_000), {
    description: "Names, signs and values in the document of a client's request.",
    range: "1000 to 20000",
  }),
  maxDepth: option(z.int().min(4).max(256).default(64), {
    description: "Levels of fields in a client's operation, those of fragments included.",
    range: "16 to 100",
  }),
  requestTimeoutMs: option(
    z
      .int()
      .min(100)
      .max(60 * minute)
      .default(30 * second),
    {
      description:
        "How long a query or mutation may take as a whole, in ms. Subscriptions have no such limit.",
      range: "100 ms to 1 h",
    },
  ),
  forwardHeaders: option(
    z
      .array(
        z
          .string()
          .regex(/^[a-z0-9-]+$/, "must be a header name in lower case")
          .refine((name) => !unforwardable.test(name), "is set by the gateway itself"),
      )
      .default(["accept-language", "authorization", "traceparent", "tracestate", "baggage"]),
    { description: "Headers of a client's request that are sent on to services, in lower case." },
  ),
  schemaPollMs: option(
    z
      .int()
      .min(100)
      .max(24 * 60 * minute)
      .default(10 * second),
    {
      description:
        "How often each service is asked for its schema, in ms; also the longest pause while it fails.",
      range: "1 s to 10 min",
    },
  ),
  schemaTimeoutMs: option(
    z
      .int()
      .min(100)
      .max(10 * minute)
      .default(5 * second),
    {
      description: "How long a service may take to answer with its schema, in ms.",
      range: "1 s to 30 s",
    },
  ),
  schemaSettleMs: option(z.int().min(0).max(minute).default(second), {
    description:
      "How long an update waits for the schemas of new services before it serves what is there, in ms.",
    range: "0 to 5 s",
  }),
  schemaMaxBytes: option(
    z
      .int()
      .min(1024)
      .max(256 * mebibyte)
      .default(8 * mebibyte),
    {
      description: "Longest answer to a schema request, in bytes.",
      range: "1 MiB to 64 MiB",
    },
  ),
  retireMs: option(
    z
      .int()
      .min(0)
      .max(24 * 60 * minute)
      .default(60 * minute),
    {
      description:
        "How long subscriptions and requests go on with the schema they began with after it changed, in ms.",
      range: "1 min to 24 h",
    },
  ),
  maxGenerations: option(z.int().min(2).max(1_000).default(16), {
    description:
      "Schemas kept at a time for what began with them; the oldest retires early when there are more.",
    range: "2 to 100",
  }),
  drainMs: option(
    z
      .int()
      .min(0)
      .max(10 * minute)
      .default(10 * second),
    {
      description: "How long a shutdown waits for requests that run, in ms.",
      range: "1 s to 60 s",
    },
  ),
  upstreamConnections: option(z.int().min(1).max(65_535).default(256), {
    description: "Connections to Envoy's egress listener at a time, besides one per subscription.",
    range: "16 to 4096",
  }),
  upstreamMaxBytes: option(
    z
      .int()
      .min(1024)
      .max(1024 * mebibyte)
      .default(64 * mebibyte),
    {
      description: "Longest answer of a service, and longest event of a subscription, in bytes.",
      range: "1 MiB to 256 MiB",
    },
  ),
});
export type GatewayOptions = z.output<typeof gatewayOptions>;
