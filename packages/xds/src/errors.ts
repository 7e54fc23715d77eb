import type { ResourceName } from "./resource.ts";

/**
 * Every way in which this package refuses:
 *
 * - `reference_missing`: a published resource names another one that would not exist afterwards. Publish what it
 *   names in the same change, or list it as `external` when the proxy knows it by itself. Nothing was published.
 * - `resource_malformed`: a body is not a message of its type. Build resources with `encodeResource`.
 * - `resource_unnamed`: a resource has an empty name or type. Give it one.
 * - `listen_failed`: the address cannot be served. Choose another one, or stop what holds it.
 * - `server_closed`: the server was closed. Create a new one.
 * - `journal_malformed`: a record of a snapshot journal is not one of ours. Remove the file; it is rebuilt.
 */
export type XdsErrorCode =
  | "reference_missing"
  | "resource_malformed"
  | "resource_unnamed"
  | "listen_failed"
  | "server_closed"
  | "journal_malformed";

/** A reference that does not resolve: `resource` names `missing`. */
export type MissingReference = { readonly resource: ResourceName; readonly missing: ResourceName };

/** The only error class of this package. `missing` is filled for `reference_missing`. */
export class XdsError extends Error {
  override readonly name = "XdsError";
  readonly code: XdsErrorCode;
  readonly missing: readonly MissingReference[];

  constructor(
    code: XdsErrorCode,
    message: string,
    detail: { readonly cause?: unknown; readonly missing?: readonly MissingReference[] } = {},
  ) {
    super(message, { cause: detail.cause });
    this.code = code;
    this.missing = detail.missing ?? [];
  }
}
