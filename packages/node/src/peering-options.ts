import { isHostAddress, keyedList, option, z } from "@catalyst/config";
import { compilePolicy, PeeringError, type PolicyRule, protocols } from "@catalyst/peering";
import { sessionOptions } from "@catalyst/session";
import { namePattern } from "@catalyst/wire";

const peerDeclaration = z.strictObject({
  name: z
    .string()
    .regex(
      namePattern,
      "must be the name of a node, such as n2, or with its domain n2.acme.catalyst.internal",
    )
    .meta({ description: "The peer's name in this organisation, or with its domain." }),
  address: z
    .string()
    .refine(isHostAddress, "must be a host and a port, such as n2.example:7400")
    .meta({ description: "Where it takes sessions.", examples: ["10.0.0.2:7400"] }),
});

/** `mesh.peers` */
export const peerList = keyedList(peerDeclaration, {
  key: "name",
  flag: "peer",
  description:
    "Nodes that this one opens sessions with. Others may open one with it where `mesh.listen.peers` is given.",
});

const glob = (what: string) =>
  z
    .string()
    .min(1)
    .optional()
    .meta({ description: `${what}; \`*\` stands for any characters.` });

const length = (what: string) =>
  z
    .strictObject({ min: z.int().min(0).optional(), max: z.int().min(0).optional() })
    .optional()
    .meta({ description: `How many ${what} the route came through, both ends included.` });

const routeRule = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(100)
    .meta({ description: "What the rule is called where a route is explained." }),
  action: z.enum(["accept", "reject"]).meta({ description: "What becomes of the routes that it is about." }),
  match: z
    .strictObject({
      service: glob("The service's full name"),
      organisation: glob("Whose service it is"),
      protocol: z.enum(protocols).optional(),
      labels: z.record(z.string(), z.string()).optional(),
      peer: glob("The peer's full name"),
      peerOrganisation: glob("The peer's organisation: a rule without it is about peers of this one alone"),
      nodePathLength: length("nodes"),
      orgPathLength: length("organisations"),
    })
    .optional()
    .meta({ description: "Which routes it is about; what is left out is not asked." }),
  set: z
    .strictObject({
      localPref: z.int().min(0).max(4_294_967_295).optional(),
      metric: z.int().min(0).max(4_294_967_295).optional(),
      noExport: z.boolean().optional(),
      labels: z.record(z.string(), z.string().nullable()).optional(),
    })
    .optional()
    .meta({ description: "What it changes of a route that it accepts." }),
});

type RouteRule = z.output<typeof routeRule>;

/** Rules as the tables take them: what was not given is not there. */
export function routeRules(rules: readonly RouteRule[]): readonly PolicyRule[] {
  return rules as readonly PolicyRule[];
}

const routePolicy = z.array(routeRule).superRefine((rules, context) => {
  try {
    compilePolicy(routeRules(rules));
  } catch (error) {
    if (!(error instanceof PeeringError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
  }
});

/** Section `mesh.peering`: which routes are exchanged, and how. */
export const peeringOptions = z.strictObject({
  advertise: option(z.string().refine(isHostAddress, "must be a host and a port").optional(), {
    description:
      "Where other nodes' Envoys reach this one, where that is another address than `mesh.listen.mesh`: the next hop of its routes.",
  }),
  insecurePlain: option(z.boolean().default(false), {
    description:
      "Opens and takes sessions without TLS, where nobody proves anything: only to see whether two nodes reach each other.",
    flag: "insecure-plain-peers",
  }),
  import: option(routePolicy.default([]), {
    description:
      "Rules for routes that peers tell, in their order: the first one that is about a route decides. After the last one, those of this organisation are let in, and no others.",
  }),
  export: option(routePolicy.default([]), {
    description: "Rules for routes that peers are told, likewise.",
  }),
  restartMs: option(z.int().min(0).max(86_400_000).default(120_000), {
    description: "How long the routes of a peer that is not heard of any more are used, in ms.",
    range: "10 s to 10 min",
  }),
  maxRoutes: option(z.int().min(1).max(10_000_000).default(1_000_000), {
    description: "Routes that one peer may tell; with more its session ends.",
  }),
  session: sessionOptions,
});
