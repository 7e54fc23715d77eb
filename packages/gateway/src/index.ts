/** The GraphQL gateway of a node: one endpoint over federation subgraphs and plain GraphQL services. */
export type { EngineInput, EngineSchema, GatewayEngine, Operation, ResultStream } from "./engine/engine.ts";
export { GatewayError, type GatewayErrorCode } from "./errors.ts";
export { createGateway, type Gateway, type GatewayParts } from "./gateway.ts";
export { type GatewayOptions, gatewayOptions } from "./options.ts";
export type { FetchSchema } from "./schema/schema-source.ts";
export type { RequestScope, ServiceSchema, ServiceTarget } from "./service.ts";
export { type SubOperation, subOperation } from "./upstream/sub-operation.ts";
export type { SubRequest, Upstream } from "./upstream/upstream.ts";
