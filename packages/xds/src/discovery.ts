import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../generated/envoy/service/discovery/v3/discovery_pb.js";
import type { Resource } from "./resource.ts";

/** The two variants of aggregated discovery. */
export type Protocol = "delta" | "sotw";

/** A request of either variant, read. */
export type DiscoveryRequest = {
  /** The node id; given in the first message of a stream only. */
  readonly node: string | undefined;
  readonly type: string;
  /** The nonce that is answered; empty when none is. */
  readonly nonce: string;
  /** Why the client rejects the response with this nonce; undefined when it does not. */
  readonly error: string | undefined;
  readonly interest: Interest;
};

/** What a client wants: the whole list each time (state of the world), or what changes in it (delta). */
export type Interest =
  | { readonly kind: "list"; readonly names: readonly string[] }
  | {
      readonly kind: "change";
      readonly subscribe: readonly string[];
      readonly unsubscribe: readonly string[];
      /** What a reconnecting client already holds: name to version. */
      readonly initial: ReadonlyMap<string, string>;
    };

/** A response before it is encoded for a variant; `removed` is not part of the state of the world. */
export type DiscoveryResponse = {
  readonly type: string;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
};

/** Reads a request. Throws what the decoder throws for bytes that are none. */
export function decodeRequest(protocol: Protocol, bytes: Uint8Array): DiscoveryRequest {
  if (protocol === "sotw") {
    const request = fromBinary(DiscoveryRequestSchema, bytes);
    const interest: Interest = { kind: "list", names: request.resourceNames };
    return { ...commonFields(request), interest };
  }
  const request = fromBinary(DeltaDiscoveryRequestSchema, bytes);
  const interest: Interest = {
    kind: "change",
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initial: new Map(Object.entries(request.initialResourceVersions)),
  };
  return { ...commonFields(request), interest };
}

/** Encodes a response for a variant. `identifier` names this control plane. */
export function encodeResponse(
  protocol: Protocol,
  response: DiscoveryResponse,
  identifier: string,
): Uint8Array {
  const { type: typeUrl, nonce, version, resources } = response;
  const controlPlane = { identifier };
  if (protocol === "sotw") {
    const message = create(DiscoveryResponseSchema, {
      typeUrl,
      nonce,
      versionInfo: version,
      controlPlane,
      resources: resources.map(({ body: value }) => ({ typeUrl, value })),
    });
    return toBinary(DiscoveryResponseSchema, message);
  }
  const message = create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    nonce,
    systemVersionInfo: version,
    controlPlane,
    resources: resources.map(({ name, version: own, body: value }) => ({
      name,
      version: own,
      resource: { typeUrl, value },
    })),
    removedResources: [...response.removed],
  });
  return toBinary(DeltaDiscoveryResponseSchema, message);
}

type CommonFields = {
  readonly node?: { readonly id: string } | undefined;
  readonly typeUrl: string;
  readonly responseNonce: string;
  readonly errorDetail?: { readonly message: string; readonly code: number } | undefined;
};

function commonFields({ node, typeUrl, responseNonce, errorDetail }: CommonFields) {
  const error = errorDetail && (errorDetail.message || `code ${errorDetail.code} without a message`);
  return { node: node?.id, type: typeUrl, nonce: responseNonce, error };
}
