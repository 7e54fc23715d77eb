/** From services to Envoy's configuration, purely and by differences; Envoy's bootstrap; and its administration. */

export { type EnvoyAdmin, type EnvoyInfo, type EnvoyView, readAdmin } from "./admin.ts";
export { type CredentialIssuer, type CredentialRules, compileCredentials } from "./auth.ts";
export { type BootstrapOptions, bootstrap, xdsCluster } from "./bootstrap.ts";
export { type CompiledService, compileNode, compileService } from "./compile.ts";
export { EnvoyError, type EnvoyErrorCode } from "./errors.ts";
export type { LocalReplyCode } from "./local-reply.ts";
export {
  type AccessLogging,
  type Address,
  defaultTlsSecret,
  type MeshAuth,
  type MeshCors,
  type MeshInput,
  serviceHost,
} from "./mesh.ts";
export { compileMeshListener } from "./mesh-listener.ts";
export { compileNodeTrust, type NodeTrust } from "./node-access.ts";
export type { NodeDoors } from "./node-doors.ts";
export type { NodeRule } from "./node-policy.ts";
export { type Anchor, compileNodeIdentity } from "./node-tls.ts";
export { type EnvoyProcessOptions, envoyArguments, envoyRelease, parseEnvoyVersion } from "./process.ts";
export { isNextHop, type NextHop, type ReachableService, type ServicePath, servedHere } from "./reachable.ts";
export { isOffered } from "./tcp.ts";
export { compileSecret, compileTrust, type KeyPair } from "./tls.ts";
export { MeshTranslation, type ServiceChange, type TranslationPlan } from "./translation.ts";
export { compileWayOut } from "./way-out.ts";
