/** The GraphQL gateway of a node: one endpoint over federation subgraphs and plain GraphQL services. */
export { GatewayError, type GatewayErrorCode } from "./errors.ts";
export { createGateway, type Gateway } from "./gateway.ts";
