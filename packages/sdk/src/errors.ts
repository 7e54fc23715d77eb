/**
 * Why a service could not be registered or served.
 *
 * | code | what to do |
 * |---|---|
 * | `declaration_invalid` | the service's name, protocol, URL or a time does not fit: the message names the field |
 * | `declaration_refused` | the node does not take what this release takes: update the older of the two |
 * | `service_declared` | the node's configuration has a service of this name already, and needs no registration: remove one of the two |
 * | `listen_failed` | the service cannot listen there: choose another port or host |
 * | `released` | the registration was released before the node had acknowledged it: nothing is wrong when that was meant |
 */
export type SdkErrorCode =
  | "declaration_invalid"
  | "declaration_refused"
  | "service_declared"
  | "listen_failed"
  | "released";

/** The one error of this package. */
export class SdkError extends Error {
  override readonly name = "SdkError";
  readonly code: SdkErrorCode;

  constructor(code: SdkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
