import { option, z } from "@catalyst/config";
import { serverOptions } from "./server/server-options.ts";
import { headerOptions } from "./upstream/header-options.ts";
import { upstreamOptions } from "./upstream/upstream-options.ts";

const second = 1_000;
const minute = 60 * second;
const mebibyte = 1024 * 1024;

/** The section `mesh.graphql` of a node's configuration. */
export const gatewayOptions = z.strictObject({
  engine: option(
    z
      .enum(["auto", "planned", "typescript"], {
        error: ({ input }) =>
          input === "stitching" ? "is gone: `typescript` has taken its place, and plans ahead" : undefined,
      })
      .default("auto"),
    {
      description:
        "What plans queries: `planned` has a native planner in a process of its own, `typescript` our own planner alone and runs everywhere, `auto` takes the first where it runs.",
    },
  ),
  ...serverOptions,
  headers: headerOptions,
  upstream: upstreamOptions,
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
        "How long requests go on with the schema they began with after it changed, and subscriptions that cannot move to the new one, in ms.",
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
});
export type GatewayOptions = z.output<typeof gatewayOptions>;
