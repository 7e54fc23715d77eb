import { option, z } from "@catalyst/config";

const mebibyte = 1024 * 1024;

/** The section `upstream`: how services are reached. */
export const upstreamOptions = z
  .strictObject({
    connections: option(z.int().min(1).max(65_535).default(1_024), {
      description: "Connections to Envoy's egress listener at a time, besides one per subscription.",
      range: "16 to 4096",
    }),
    maxBytes: option(
      z
        .int()
        .min(1024)
        .max(256 * mebibyte)
        .default(64 * mebibyte),
      {
        description: "Longest answer of a service, and longest event of a subscription, in bytes.",
        range: "1 MiB to 256 MiB",
      },
    ),
    perService: z
      .strictObject({
        concurrency: option(z.int().min(1).max(65_535).default(256), {
          description: "Requests to one service at a time, subscriptions aside.",
          range: "8 to 1024",
        }),
        queue: option(z.int().min(0).max(1_000_000).default(1_024), {
          description: "Requests to one service that wait for their turn; more are refused at once.",
          range: "0 to 10000",
        }),
      })
      .prefault({}),
    retries: option(z.int().min(0).max(5).default(1), {
      description:
        "How often a query is sent again when the service could not be reached or answered 502 or 503. Mutations are sent again only when nothing of them was sent. At most a fifth of a service's requests are retries.",
      range: "0 to 2",
    }),
    dedupe: option(z.boolean().default(true), {
      description:
        "Sends equal queries that come while one of them is under way once. Equal are those of the same caller: with the same headers, traceparent and tracestate aside. Not for services that a rule of `headers.response` is for: what it lets through may be for one client alone.",
    }),
    breaker: z
      .strictObject({
        enabled: option(z.boolean().default(true), {
          description:
            "Leaves a service alone for a while when it fails too often, so that nobody waits for it.",
        }),
        failureRatio: option(z.number().min(0.01).max(1).default(0.5), {
          description:
            "Share of a service's requests that must fail before it is left alone. Errors of GraphQL are no failures.",
          range: "0.2 to 0.9",
        }),
        minRequests: option(z.int().min(1).max(1_000_000).default(20), {
          description: "Requests that the service must have got in the window before their share counts.",
          range: "5 to 1000",
        }),
        windowMs: option(z.int().min(100).max(600_000).default(10_000), {
          description: "How far back requests count, in ms.",
          range: "1 s to 1 min",
        }),
        openMs: option(z.int().min(10).max(600_000).default(2_000), {
          description: "How long the service is left alone before one request tries it, in ms.",
          range: "500 ms to 30 s",
        }),
      })
      .prefault({}),
  })
  .prefault({});
export type UpstreamOptions = z.output<typeof upstreamOptions>;
