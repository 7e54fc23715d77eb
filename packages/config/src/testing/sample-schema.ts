import { keyedList, option, z } from "../index.ts";

const endpoint = z.strictObject({
  name: option(z.string().min(1), { description: "What the endpoint is called." }),
  protocol: option(z.enum(["graphql", "http"]), { description: "What it speaks." }),
  url: option(z.url({ protocol: /^https?$/ }), {
    description: "Where it is.",
    range: "an http:// or https:// URL",
  }),
  timeoutMs: option(z.int().min(1).max(600_000).default(15_000), { description: "How long it may take." }),
  retry: option(z.boolean().default(true), { description: "Whether a failed call is tried again." }),
  tls: z
    .strictObject({
      certFile: option(z.string(), { description: "Its certificate." }),
      verify: option(z.boolean().default(true), { description: "Whether the peer is checked." }),
      names: option(z.array(z.string()).default(["a"]), { description: "Names that it answers to." }),
    })
    .optional(),
  limits: z.strictObject({
    rate: option(z.number().min(0).max(1e9).optional(), { description: "Calls per second." }),
    burst: option(z.int().min(0).default(10), { description: "Calls at once." }),
  }),
  tags: option(z.array(z.string()).default([]), { description: "Free words." }),
  weights: option(z.array(z.number()).optional(), { description: "Shares." }),
  labels: option(z.record(z.string(), z.union([z.string(), z.number()])).optional(), {
    description: "Labels.",
  }),
  token: option(z.string().optional(), { description: "What it is called with.", secret: true }),
  routes: keyedList(
    z.strictObject({
      path: option(z.string().min(1), { description: "The path." }),
      methods: option(z.array(z.enum(["GET", "POST"])).default(["GET"]), { description: "Its methods." }),
    }),
    { key: "path", description: "Routes inside of the endpoint." },
  ),
});

/** A schema with everything that one may have, for this package's own tests. */
export const sampleSchema = z.strictObject({
  node: z.strictObject({
    name: option(z.string().regex(/^[a-z][a-z0-9-]{0,20}$/), {
      description: "The node.",
      range: "a DNS label",
    }),
    motto: option(z.string().optional(), { description: "Any text." }),
    password: option(z.string().min(3).optional(), { description: "A secret.", secret: true }),
  }),
  mesh: z.strictObject({
    listen: z.strictObject({
      ingress: option(z.string().default("127.0.0.1:8080"), { description: "For clients.", flag: "ingress" }),
      port: option(z.int().min(0).max(65_535).default(8080), { description: "A port." }),
      ratio: option(z.number().min(-1).max(1).default(0.5), { description: "A share." }),
    }),
    explore: option(z.boolean().default(false), { description: "Shows a page." }),
    compress: option(z.boolean().default(true), { description: "Saves bytes." }),
    strict: option(z.boolean().optional(), { description: "Unset, true or false." }),
    peers: option(z.array(z.string()).default(["n1", "n2"]), { description: "Plain texts." }),
    ports: option(z.array(z.int()).default([]), { description: "Plain numbers." }),
    mode: option(z.enum(["auto", "on", "off"]).default("auto"), { description: "A choice." }),
    window: option(z.union([z.literal("all"), z.int().min(0)]).default("all"), { description: "Either." }),
    endpoints: keyedList(endpoint, { key: "name", flag: "endpoint", description: "What is served." }),
  }),
  cache: z
    .strictObject({
      dir: option(z.string(), { description: "Where." }),
      sizes: z.strictObject({ max: option(z.int().min(1).default(1000), { description: "How many." }) }),
    })
    .optional(),
});
