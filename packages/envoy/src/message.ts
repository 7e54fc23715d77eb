import { create, type DescMessage, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack, type Duration } from "@bufbuild/protobuf/wkt";
import type { AddressSchema } from "@catalyst/xds/api/config/core/v3/address_pb";
import { ApiVersion, type ConfigSourceSchema } from "@catalyst/xds/api/config/core/v3/config_source_pb";
import { TypedStructSchema } from "@catalyst/xds/xds-core/type/v3/typed_struct_pb";
import type { Address } from "./mesh.ts";

/** A message as it is given to `create`. */
export type Init<S extends DescMessage> = MessageInitShape<S>;

/** A message in an `Any`, as Envoy's `typed_config` wants it. */
export function packed<S extends DescMessage>(schema: S, message: Init<S>): Any {
  return anyPack(schema, create(schema, message));
}

/** A message of a type that has no generated code, in an `Any`. */
export function packedStruct(typeName: string, value: JsonObject): Any {
  return packed(TypedStructSchema, { typeUrl: `type.googleapis.com/${typeName}`, value });
}

/** Milliseconds as Envoy takes them. */
export function duration(ms: number): Pick<Duration, "seconds" | "nanos"> {
  return { seconds: BigInt(Math.trunc(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 };
}

/** Where Envoy listens or connects to. */
export function socketAddress({ host, port }: Address): Init<typeof AddressSchema> {
  return {
    address: {
      case: "socketAddress",
      value: { address: host, portSpecifier: { case: "portValue", value: port } },
    },
  };
}

/** What Envoy takes from its aggregated stream. */
export const fromAds: Init<typeof ConfigSourceSchema> = {
  resourceApiVersion: ApiVersion.V3,
  configSourceSpecifier: { case: "ads", value: {} },
};
