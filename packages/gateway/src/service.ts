import { createHash } from "node:crypto";
import type { GatewayUpdate } from "@catalyst/rpc";

/** Where a service is and how long it may take, as the update in force says. */
export type ServiceTarget = GatewayUpdate["services"][number];

/** `federation`: a subgraph with `_service`; `plain`: any other GraphQL service, known by introspection. */
export type ServiceKind = "federation" | "plain";

/** A schema as its service gave it. */
export type ServiceSchema = {
  readonly kind: ServiceKind;
  readonly sdl: string;
  /** SHA-256 over kind and SDL, in hexadecimal. */
  readonly digest: string;
};

/** A service together with the version of its schema that is to be served. */
export type SchemaInput = { readonly target: ServiceTarget; readonly schema: ServiceSchema };

/** A service that serves nothing now, and why. */
export type UnavailableService = { readonly service: string; readonly reason: string };

/** Headers for the client, by name in lower case; each value is a line of its own. */
export type AnswerHeaders = Map<string, readonly string[]>;

/** Headers of a client's request that go on to services. */
export type ForwardedHeaders = {
  readonly headers: Readonly<Record<string, string>>;
  /** In place of `headers`, for services that a header rule names. */
  readonly headersFor?: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

/** What travels with a client's request to every sub-request; one object per request, and never shared. */
export type RequestScope = ForwardedHeaders & {
  readonly requestId: string;
  /** Takes the headers of services' answers that go to the client by rule; they are lost without one. */
  readonly answer?: AnswerHeaders;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
};

/** Makes a schema out of what a service answered. */
export function serviceSchema(kind: ServiceKind, sdl: string): ServiceSchema {
  return { kind, sdl, digest: digestOf(`${kind}\n${sdl}`) };
}

/** SHA-256 of a text, in hexadecimal. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
