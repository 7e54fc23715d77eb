import { defineConfig, isAddress, keyedList, option, z } from "@catalyst/config";
import { gatewayOptions } from "@catalyst/gateway/options";
import { hostAddress, identityOptions, keyOptions, trustOptions } from "@catalyst/identity";
import { serviceDeclaration, serviceName } from "@catalyst/rpc";
import { starOptions } from "@catalyst/star/options";
import { contentOptions } from "@catalyst/store/options";
import { telemetryOptions } from "@catalyst/telemetry/options";
import { domainPattern, labelPattern } from "@catalyst/wire";
import { clash, leadsTo } from "./address.ts";
import { peeringOptions, peerList } from "./peering-options.ts";

const address = z.string().refine(isAddress, "must be an IP address and a port, such as 127.0.0.1:10000");

const nodeOptions = z.strictObject({
  name: option(z.string().regex(labelPattern, "must be a DNS label in lower case").default("n1"), {
    description: "Name of this node inside its organisation.",
  }),
  domain: option(
    z
      .string()
      .regex(domainPattern, "must be a DNS name in lower case with at least two labels")
      .default("local.catalyst.internal"),
    { description: "Trust domain of the organisation; a service is reached at `<service>.<domain>`." },
  ),
  dataDir: option(z.string().min(1).optional(), {
    description:
      "Folder of all that the node keeps. By default `catalyst/<name>` in the user's data folder (`$XDG_DATA_HOME` or `~/.local/share`).",
  }),
});

const listenOptions = z.strictObject({
  ingress: option(address.default("127.0.0.1:10000"), {
    description: "Where clients reach the node, plain HTTP.",
    flag: "ingress",
  }),
  ingressTls: option(address.optional(), {
    description: "Where clients reach the node over TLS; off unless given.",
    flag: "ingress-tls",
  }),
  egress: option(address.default("127.0.0.1:10001"), {
    description: "Where the gateway and local services reach every service, by Host. Keep it on loopback.",
    flag: "egress",
  }),
  mesh: option(address.optional(), {
    description:
      "Where other nodes' Envoys bring requests for this node's services, over mutual TLS. Off unless given: then its services are told to nobody.",
    flag: "listen-mesh",
  }),
  peers: option(address.optional(), {
    description:
      "Where other nodes open sessions with this one, to exchange routes. Off unless given: it may still open sessions itself.",
    flag: "listen-peers",
  }),
});

const tlsOptions = z.strictObject({
  certificateFile: option(z.string().min(1).optional(), {
    description:
      "Certificate chain for the TLS listener, PEM. Without one the node makes its own, self-signed.",
  }),
  privateKeyFile: option(z.string().min(1).optional(), {
    description: "Private key of the certificate, PEM, unencrypted. Both files are watched for changes.",
  }),
  authoritiesFile: option(z.string().min(1).optional(), {
    description:
      "Certificates of your own authorities, PEM: services with https URLs may have a certificate of theirs, or of a well-known one. Watched for changes.",
  }),
});

const envoyOptions = z.strictObject({
  path: option(z.string().min(1).optional(), {
    description: "The Envoy to run. By default `CATALYST_ENVOY`, the one that the set-up brought, or PATH.",
  }),
  accessLog: option(z.enum(["all", "failures", "none"]).default("all"), {
    description: "Which requests Envoy writes to its log.",
  }),
  maxMemoryMegabytes: option(z.int().min(128).max(1_048_576).default(2_048), {
    description:
      "How much memory Envoy may have: at the bound it answers requests with 503 until there is room again.",
  }),
  concurrency: option(z.int().min(1).max(256).optional(), {
    description: "Envoy's worker threads. By default one per core.",
  }),
});

/** An origin as a browser sends it: no path, no default port. */
const originPattern = /^(?:\*|https?:\/\/[a-z0-9.-]+(?::\d{1,5})?|https?:\/\/\[[0-9a-f:]+\](?::\d{1,5})?)$/;
const headerNamePattern = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;

const corsOptions = z
  .strictObject({
    origins: option(
      z
        .array(
          z
            .string()
            .regex(
              originPattern,
              "must be an origin such as https://app.example, in lower case and without a path, or *",
            ),
        )
        .default([]),
      {
        description:
          "Origins whose pages may call the node's services and its GraphQL endpoint from a browser (CORS): `https://app.example`, or `*` for every one. None by default.",
      },
    ),
    headers: option(
      z.array(z.string().regex(headerNamePattern, "must be the name of a header in lower case")).default([]),
      {
        description:
          "Headers that those pages may send besides `authorization`, `x-api-key`, `content-type`, `x-request-id` and those of traces.",
      },
    ),
    credentials: option(z.boolean().default(false), {
      description: "Whether browsers send cookies along. Not for every origin.",
    }),
    maxAgeMs: option(z.int().min(0).max(86_400_000).default(600_000), {
      description: "How long a browser need not ask again, in ms.",
      range: "1 min to 1 day",
    }),
  })
  .refine(({ origins, credentials }) => !(credentials && origins.includes("*")), {
    path: ["credentials"],
    message: "cannot be with the origin *: any page could act for whoever looks at it",
  });

const tcpPort = z.strictObject({
  name: serviceName.meta({ description: "The service's name." }),
  listen: address.meta({
    description: "Where programs beside the node reach the service. Keep it on loopback.",
    examples: ["127.0.0.1:15432"],
  }),
});

const meshOptions = z
  .strictObject({
    listen: listenOptions,
    tls: tlsOptions,
    envoy: envoyOptions,
    peers: peerList,
    peering: peeringOptions,
    graphql: gatewayOptions,
    cors: corsOptions,
    tcp: keyedList(tcpPort, {
      key: "name",
      flag: "tcp",
      description:
        "Ports that lead to TCP services, wherever they stand: at this node or at another. Each is open while there is a way to its service.",
    }),
    services: keyedList(serviceDeclaration, {
      key: "name",
      flag: "service",
      description: "Services that this node serves. More can join while it runs.",
    }),
  })
  .superRefine((mesh, context) => {
    for (const [at, { url }] of mesh.services.entries()) {
      if (!leadsTo(url, listenersOf(mesh))) continue;
      const message = "leads back to this node: name the address of the service itself";
      context.addIssue({ code: "custom", path: ["services", at, "url"], message });
    }
    const { certificateFile, privateKeyFile } = mesh.tls;
    if ((certificateFile === undefined) === (privateKeyFile === undefined)) return;
    const missing = certificateFile === undefined ? "certificateFile" : "privateKeyFile";
    context.addIssue({
      code: "custom",
      path: ["tls", missing],
      message: "is missing: a certificate and its key are given together",
    });
  });

type Listening = {
  readonly listen: z.output<typeof listenOptions>;
  readonly tcp: readonly z.output<typeof tcpPort>[];
};

/** Every address on which Envoy listens for a node. */
export function listenersOf({ listen, tcp }: Listening): string[] {
  const { ingress, ingressTls, egress, mesh: nodes } = listen;
  const ports = tcp.map((port) => port.listen);
  return [ingress, egress, ingressTls, nodes, ...ports].filter((address) => address !== undefined);
}

const authorityOptions = z.strictObject({
  listen: option(address.optional(), {
    description:
      "Where other nodes of the organisation reach this one's root authority, to join it, to renew their certificates and to have tokens signed: TLS. Off unless given.",
  }),
  addresses: option(z.array(hostAddress).max(8).default([]), {
    description:
      "Where they find it, where that is another address than `listen`: `host:port`. Written into join tokens.",
  }),
});

const authOptions = z.strictObject({
  required: option(z.boolean().default(false), {
    description:
      "Whether every request needs a credential that names its service: a token, or an API key (`catalyst apikey create`). Envoy refuses all others.",
  }),
  open: option(z.array(z.string().regex(labelPattern, "must be the name of a service")).default([]), {
    description: "Services that need no credential all the same; `graphql` is the node's GraphQL endpoint.",
  }),
  maxStreamMs: option(z.int().min(1_000).max(604_800_000).default(3_600_000), {
    description:
      "How long a stream, a WebSocket or a download may go on that a credential has let in, in ms, before Envoy ends it: then the client comes back, and its credential is looked at again. More than any answer takes.",
    range: "1 s to 1 week",
  }),
  trust: trustOptions,
  keys: keyOptions,
  authority: authorityOptions,
  identity: identityOptions,
  passphraseFile: option(z.string().min(1).optional(), {
    description: "File whose first line opens the node's keys, where they are encrypted.",
  }),
});

const sections = z.strictObject({
  node: nodeOptions,
  mesh: meshOptions,
  auth: authOptions,
  content: contentOptions,
  star: starOptions,
  telemetry: telemetryOptions,
});

/** Every address that a node listens on, by the path of its option. */
function listening({
  mesh,
  auth,
  telemetry,
}: z.output<typeof sections>): { path: (string | number)[]; text: string }[] {
  const all = [
    ...Object.entries(mesh.listen).map(([name, text]) => ({ path: ["mesh", "listen", name], text })),
    ...mesh.tcp.map(({ listen }, at) => ({ path: ["mesh", "tcp", at, "listen"], text: listen })),
    { path: ["auth", "authority", "listen"], text: auth.authority.listen },
    { path: ["telemetry", "listen"], text: telemetry.listen === "off" ? undefined : telemetry.listen },
  ];
  return all.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
}

/** The schema of a node's configuration: one section per plane. */
export const nodeConfig = defineConfig(
  sections.superRefine((config, context) => {
    for (const [at, { path, text }] of listening(config).entries()) {
      const other = listening(config).find((earlier, index) => index < at && clash(earlier.text, text));
      if (other === undefined) continue;
      const message = `must differ from ${other.path.join(".")}, which is ${other.text}`;
      context.addIssue({ code: "custom", path, message });
    }
  }),
  {
    otherVariables: [
      "CATALYST_CONFIG",
      "CATALYST_ENVOY",
      "CATALYST_NODE",
      "CATALYST_FAILPOINT",
      "CATALYST_SOCKET",
    ],
  },
);

/** A node's configuration as it is in force. */
export type NodeConfig = z.output<typeof nodeConfig.schema>;
