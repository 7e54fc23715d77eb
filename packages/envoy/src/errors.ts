/**
 * Why Envoy's configuration could not be made, or its state not be read.
 *
 * | code | what to do |
 * |---|---|
 * | `mesh_invalid` | correct the node's domain, name or addresses: the message names what is wrong |
 * | `service_invalid` | correct the service's declaration: the message names it and what is wrong |
 * | `next_hop_invalid` | a peer told a route that leads nowhere: `catalyst route explain` names the peer |
 * | `service_unknown` | the service is not in force: `catalyst service list` shows those that are |
 * | `plan_stale` | a fault of the caller: plans are committed in the order in which they were made |
 * | `secret_invalid` | give the certificate chain and its unencrypted key as PEM |
 * | `credentials_invalid` | the keys of an issuer are no JWK Set whose keys have a `kid`: see the log of the auth process |
 * | `admin_unreachable` | Envoy is not running, or still starting: look at its log |
 * | `admin_unexpected` | Envoy answered something else than expected: check its version |
 */
export type EnvoyErrorCode =
  | "mesh_invalid"
  | "service_invalid"
  | "next_hop_invalid"
  | "service_unknown"
  | "plan_stale"
  | "secret_invalid"
  | "credentials_invalid"
  | "admin_unreachable"
  | "admin_unexpected";

/** The one error of this package. */
export class EnvoyError extends Error {
  override readonly name = "EnvoyError";
  readonly code: EnvoyErrorCode;

  constructor(code: EnvoyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
