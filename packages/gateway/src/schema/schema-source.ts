import {
  buildClientSchema,
  type ExecutionResult,
  type GraphQLSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from "graphql";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import { type RequestScope, type ServiceSchema, type ServiceTarget, serviceSchema } from "../service.ts";
import { subOperation } from "../upstream/sub-operation.ts";
import type { Upstream } from "../upstream/upstream.ts";

/** Fetches a service's schema. Throws a {@link GatewayError} whose message says why there is none. */
export type FetchSchema = (target: ServiceTarget, scope: RequestScope) => Promise<ServiceSchema>;

const serviceSdl = subOperation("query", "query SchemaOfSubgraph { _service { sdl } }");
const introspection = subOperation("query", getIntrospectionQuery());
export type SchemaFetchOptions = {
  /** Bytes of one answer. */
  readonly maxBytes: number;
  /** The gateway's own credential for one service; null while it has none. */
  readonly credential?: ((service: string) => Promise<string | null>) | undefined;
};

const federationAnswer = z.object({ _service: z.object({ sdl: z.string().min(1) }) });

/**
 * Asks for the federation SDL first, then by introspection. A service that answers neither, but GraphQL, has no
 * schema that can be read.
 */
export function createSchemaFetch(
  upstream: Upstream,
  { maxBytes, credential = async () => null }: SchemaFetchOptions,
): FetchSchema {
  return async (target, asked) => {
    const own = await credential(target.name);
    const scope =
      own === null ? asked : { ...asked, headers: { ...asked.headers, authorization: `Bearer ${own}` } };
    const label = "schema request" as const;
    const ask = { operation: serviceSdl, label, maxBytes };
    const federation = await upstream.execute(target, ask, scope);
    const subgraph = federationAnswer.safeParse(federation.data);
    if (subgraph.success) return serviceSchema("federation", subgraph.data._service.sdl);
    const introspect = { operation: introspection, label, maxBytes };
    const schema = readIntrospection(target, await upstream.execute(target, introspect, scope));
    if (schema.getQueryType()?.getFields()["_service"] !== undefined) {
      const why = federation.errors?.[0]?.message ?? "no SDL";
      const message = `is a federation subgraph but answered the schema request with ${JSON.stringify(why)}`;
      throw new GatewayError("service_bad_response", message, { service: target.name });
    }
    return serviceSchema("plain", printSchema(lexicographicSortSchema(schema)));
  };
}

function readIntrospection(target: ServiceTarget, answer: ExecutionResult): GraphQLSchema {
  const [error] = answer.errors ?? [];
  if (error !== undefined || answer.data === null || answer.data === undefined) {
    const why = error?.message ?? "no data";
    const message = `refused the schema request, both by federation and by introspection: ${why}`;
    throw new GatewayError("service_bad_response", message, { service: target.name });
  }
  try {
    return buildClientSchema(answer.data as unknown as IntrospectionQuery);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const options = { service: target.name, cause };
    throw new GatewayError("schema_invalid", `schema is invalid: ${why}`, options);
  }
}
