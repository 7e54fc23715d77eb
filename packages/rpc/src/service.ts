import { labelPattern, labelWords } from "@catalyst/wire/portable";
import { z } from "zod";
import { isTcpUrl, serviceUrl } from "./service-url.ts";

/** A DNS label in lower case: what a service is called inside its organisation. */
export const serviceName = z
  .string()
  .regex(labelPattern, `is not a DNS label: write ${labelWords}`)
  .refine((name) => name !== "graphql", "is reserved: graphql is the gateway itself, choose another name");

/** How subscriptions reach a GraphQL service; `auto` tries server-sent events first, then a WebSocket. */
export const subscriptionTransport = z.enum(["auto", "sse", "websocket"]);

export type SubscriptionTransport = z.infer<typeof subscriptionTransport>;

export const serviceProtocol = z.enum(["graphql", "http", "grpc", "tcp"]);
export type ServiceProtocol = z.infer<typeof serviceProtocol>;

/** A service as its owner declares it: in configuration, by `catalyst service add`, or through the SDK. */
export const serviceDeclaration = z
  .strictObject({
    name: serviceName.meta({ description: "Name inside the organisation; the Host is <name>.<domain>." }),
    protocol: serviceProtocol.meta({
      description:
        "graphql joins the federated endpoint; http is reached by its Host alone, and so is grpc, over HTTP/2; tcp is reached at a port of its own, which `mesh.tcp` opens.",
    }),
    url: serviceUrl.meta({
      description:
        "Where the service listens; for graphql the URL of its endpoint, for tcp a host and a port.",
      examples: ["http://127.0.0.1:4001/graphql", "tcp://127.0.0.1:5432"],
    }),
    timeoutMs: z.int().min(1).max(600_000).default(15_000).meta({
      description: "How long one request to the service may take before it counts as failed, in ms.",
    }),
    subscriptions: subscriptionTransport.optional().meta({
      description:
        "How subscriptions reach a GraphQL service: as server-sent events (sse), over a WebSocket, or (auto, the default) by events first and over a WebSocket when the service cannot do these.",
    }),
  })
  .superRefine(({ protocol, url }, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: ["url"], message });
    // What is no URL at all was named already.
    if (!URL.canParse(url)) return;
    if (protocol === "tcp" && !isTcpUrl(url))
      refuse("is not a tcp:// URL: a TCP service has one of a host and a port, tcp://host:port");
    else if (protocol !== "tcp" && isTcpUrl(url))
      refuse("is not an http:// or https:// URL: only a service with the protocol tcp has another one");
    else if (protocol === "grpc" && new URL(url).pathname !== "/")
      refuse("has a path: a gRPC service is at no path, write its host and port alone");
  });

/** A declaration as it is in force, defaults filled in. */
export type ServiceDeclaration = z.output<typeof serviceDeclaration>;
/** A declaration as it is written, defaults left out. */
export type ServiceDeclarationInput = z.input<typeof serviceDeclaration>;
