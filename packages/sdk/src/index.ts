/**
 * What a service imports to be part of a Catalyst node: {@link serveService} for one that speaks HTTP,
 * {@link register} for one that has its own server.
 */
export { SdkError, type SdkErrorCode } from "./errors.ts";
export type { RegistrationEvent } from "./events.ts";
export type { FetchFunction, FetchHandler } from "./fetch-listener.ts";
export type { Health, HealthCheck } from "./health.ts";
export type { NodeLocation } from "./node-socket.ts";
export {
  type Clock,
  type RegisterOptions,
  type Registration,
  type RegistrationState,
  register,
} from "./registration.ts";
export { requestIdOf } from "./request-id.ts";
export { type RunningService, type ServeOptions, serveService } from "./service.ts";
