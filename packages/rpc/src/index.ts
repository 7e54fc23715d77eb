/**
 * Every interface between the processes of a node, and the one way to serve and call them: Cap'n Web over a
 * WebSocket on a Unix socket, each message checked at run time on the side that receives it.
 */
// For packages that speak of nodes and services, and of no other bytes of ours.
export { domainPattern, labelPattern } from "@catalyst/wire/portable";
export {
  type ApiKey,
  type ApiKeyState,
  authContract,
  type CredentialKind,
  type Credentials,
  credentials,
  type JoinTokenStatus,
  mostCredentialServices,
  type NodeDenial,
  type NodeIdentity,
  type ProcessCertificate,
  type SigningKey,
  type TokenOrder,
  tokenOrder,
} from "./auth.ts";
export { type Connection, type ConnectOptions, connectRpc } from "./connection.ts";
export {
  type ContentUsage,
  contentContract,
  type JobRequest,
  type JobResult,
  type JobStatus,
  type ObjectStat,
} from "./content.ts";
export {
  type GetBytes,
  type GotBytes,
  getBytes,
  getQuery,
  objectsPath,
  type PutAnswer,
  type PutBytes,
  putBytes,
  putQuery,
} from "./content-bytes.ts";
export type { CallOptions, Client, Contract, Implementation } from "./contract.ts";
export { RpcError, type RpcErrorCode } from "./errors.ts";
export {
  type ChangeImpact,
  type DiffQuestion,
  type GatewayReport,
  type GatewayServiceReport,
  type GatewayUpdate,
  gatewayContract,
  type OperationPlan,
  type PlanStepView,
  type PlanView,
  type SchemaChange,
  type SchemaDiff,
  type SchemaRecord,
  type ServiceSchemaReport,
} from "./gateway.ts";
export { keepConnected, type LinkOptions } from "./link.ts";
export {
  type Activation,
  type CredentialsState,
  mostServicesInStatus,
  orchestratorContract,
  type ProxyStatus,
  type QuarantinedResource,
  type ServiceOrigin,
  type ServiceStatus,
} from "./orchestrator.ts";
export type {
  PeerInvitation,
  PeeringState,
  PeerOrigin,
  PeerStatus,
  RouteTable,
  RouteView,
} from "./peering.ts";
export type { CheckResult, Decision, ProcessName, ProcessState } from "./process.ts";
export { type RouteEvents, type RouteEventView, type RouteWatch, routeWatch } from "./route-events.ts";
export { type RpcServer, type RpcServerParts, serveRpc } from "./server.ts";
export {
  type ServiceDeclaration,
  type ServiceDeclarationInput,
  type ServiceProtocol,
  type SubscriptionTransport,
  serviceDeclaration,
  serviceName,
  serviceProtocol,
  subscriptionTransport,
} from "./service.ts";
export { defaultDataDir, runFolder, socketPath } from "./socket-path.ts";
export { requestSocket, type SocketAnswer, type SocketRequest } from "./socket-request.ts";
export { type ChildStatus, supervisorContract } from "./supervisor.ts";
export { watchPatienceMs, watchTimeoutMs } from "./watch.ts";
