import { hash } from "node:crypto";
import type { DescMessage } from "@bufbuild/protobuf";
import { XdsError } from "./errors.ts";

/** What identifies a resource on one server: its type URL and its name. */
export type ResourceName = { readonly type: string; readonly name: string };

/**
 * One resource of a snapshot. `body` is the encoded message (the value of the `Any`), `version` a hash of it: equal
 * bytes have an equal version on every server, so that a proxy that changes servers receives differences only.
 */
export type Resource = ResourceName & {
  readonly body: Uint8Array;
  readonly version: string;
  /** What the body names, where that is known; else it is read from there. */
  readonly references?: readonly ResourceName[];
};

/** An incremental change: removals first, then `upsert` inserts or replaces. Costs in proportion to its own size. */
export type Change = {
  readonly upsert?: readonly Resource[];
  readonly remove?: readonly ResourceName[];
};

const versionBytes = 9;

/** The type URL of a message: `type.googleapis.com/` and its full name. */
export function typeUrl(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}

/** A resource from its encoded body. Throws {@link XdsError} `resource_unnamed` without a type or a name. */
export function createResource(type: string, name: string, body: Uint8Array): Resource {
  if (type === "" || name === "")
    throw new XdsError("resource_unnamed", "A resource has no type or no name.");
  const version = hash("sha256", body, "buffer").toString("base64url", 0, versionBytes);
  return { type, name, body, version };
}
