import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { XdsError } from "./errors.ts";
import { namesIn } from "./references.ts";
import { createResource, type Resource, typeUrl } from "./resource.ts";

/**
 * A resource from a message. Throws {@link XdsError} `resource_unnamed` without a name, and `resource_malformed`.
 *
 * ```ts
 * encodeResource(ClusterSchema, "products", { name: "products", connectTimeout: { seconds: 1n, nanos: 0 } });
 * ```
 */
export function encodeResource<S extends DescMessage>(
  schema: S,
  name: string,
  message: MessageInitShape<S>,
): Resource {
  const made = create(schema, message);
  return { ...createResource(typeUrl(schema), name, toBinary(schema, made)), references: [...namesIn(made)] };
}
