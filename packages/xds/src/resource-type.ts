import {
  clusterReferences,
  clusterType,
  endpointType,
  extensionType,
  listenerReferences,
  listenerType,
  routeReferences,
  routeType,
  scopedRouteReferences,
  scopedRouteType,
  secretType,
} from "./references.ts";
import type { ResourceName } from "./resource.ts";

/** What the server must know of a type of resource. */
export type ResourceType = {
  readonly url: string;
  /**
   * Its place in make-before-break order. What a resource names at a lower rank is acknowledged before the resource
   * is sent; what it names at a higher rank the client asks for when it has received the resource.
   */
  readonly rank: number;
  /** Whether a client may subscribe to everything, by `*` or by naming nothing at first. */
  readonly wildcard: boolean;
  /** Whether a state-of-the-world response means all there is, so that absence removes. */
  readonly complete: boolean;
  /** Whether it is sent again when what names it was updated: Envoy warms an updated cluster with its endpoints. */
  readonly resend: boolean;
  /** Whether a client keeps what it had in a resource's place until it has got what the new one has it ask for. */
  readonly warms: boolean;
  /** The type URLs of what it may name, itself aside; without cycles. */
  readonly mayName: readonly string[];
  /** What an encoded resource names. Throws `XdsError` `resource_malformed`. */
  readonly references: (body: Uint8Array) => Iterable<ResourceName>;
};

const nothing = (): Iterable<ResourceName> => [];
const named = {
  wildcard: false,
  complete: false,
  resend: false,
  warms: true,
  mayName: [],
  references: nothing,
};
const listed = { wildcard: true, complete: true, resend: false, warms: true };

/** The types of Envoy's API in make-before-break order: CDS, EDS, LDS, SRDS, RDS, SDS, ECDS. */
export const resourceTypes: readonly ResourceType[] = [
  {
    ...listed,
    url: clusterType,
    rank: 1,
    mayName: [endpointType, secretType],
    references: clusterReferences,
  },
  { ...named, url: endpointType, rank: 2, resend: true },
  {
    ...listed,
    url: listenerType,
    rank: 3,
    mayName: [clusterType, routeType, secretType, extensionType],
    references: listenerReferences,
  },
  {
    ...listed,
    url: scopedRouteType,
    rank: 4,
    warms: false,
    mayName: [clusterType, routeType],
    references: scopedRouteReferences,
  },
  { ...named, url: routeType, rank: 5, mayName: [clusterType], references: routeReferences },
  { ...named, url: secretType, rank: 6 },
  { ...named, url: extensionType, rank: 7 },
];

/** What is known of types. */
export type TypeTable = {
  readonly of: (url: string) => ResourceType;
  /** The URLs of the types that may name a type. */
  readonly naming: (url: string) => readonly string[];
};

/** A look-up over {@link resourceTypes} and `extra` (which wins); any other type is named only and names nothing. */
export function typeTable(extra: readonly ResourceType[] = []): TypeTable {
  const table = new Map([...resourceTypes, ...extra].map((type) => [type.url, type]));
  return {
    of: (url) => table.get(url) ?? { ...named, url, rank: 7 },
    naming: (url) =>
      [...table.values()].filter(({ mayName }) => mayName.includes(url)).map((type) => type.url),
  };
}
