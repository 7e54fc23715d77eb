/**
 * Why a call between two processes of a node failed.
 *
 * | code | what to do |
 * |---|---|
 * | `unreachable` | nobody listens on the socket: start the process, or correct the data directory |
 * | `socket_in_use` | another process listens there already: stop it first |
 * | `disconnected` | the process went away during the call: try again |
 * | `timeout` | the process did not answer in time: look at its log |
 * | `version_unsupported` | the two processes come from releases that share no interface version: update the older one |
 * | `invalid_request` | the caller sent what the interface does not allow: the message names the field |
 * | `invalid_response` | the callee answered what the interface does not allow: update the older process |
 * | `internal` | the callee failed: its log has the cause |
 * | `service_not_found` | no service has that name: `catalyst service list` shows those there are |
 * | `service_declared` | the service comes from the node's configuration: change it there |
 * | `service_name_taken` | the name was given with `catalyst service add`: remove it there, or choose another name |
 * | `service_leased` | a live service holds the name, the message says which and for how long: stop it, wait, or choose another name |
 * | `lease_unknown` | the lease has ended: register again |
 * | `draining` | the process is shutting down: try again when it is back |
 * | `update_stale` | a newer update has been applied already: send the current one |
 * | `not_explainable` | the process knows nothing of what was asked: the message names what it can explain |
 */
export type RpcErrorCode =
  | "unreachable"
  | "socket_in_use"
  | "disconnected"
  | "timeout"
  | "version_unsupported"
  | "invalid_request"
  | "invalid_response"
  | "internal"
  | "service_not_found"
  | "service_declared"
  | "service_name_taken"
  | "service_leased"
  | "lease_unknown"
  | "draining"
  | "update_stale"
  | "not_explainable";

/** The one error of this package; it crosses the socket with its code and message. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
