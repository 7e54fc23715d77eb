import type { NextHop, Protocol } from "./attributes.ts";
import type { CloseCode } from "./errors.ts";
import type { SessionEnd } from "./route-event.ts";

/** Two clocks: what waits goes by the monotonic one, in ms; what expires by the wall's, in seconds since 1970 with their fractions. */
export type Moment = { readonly instant: number; readonly wall: number };

/** A service of this node's own. Members that are left out have the defaults of {@link RouteAttributes}. */
export type OwnRoute = {
  /** `<name>.<domain>` of this node's organisation. */
  readonly service: string;
  readonly protocol: Protocol;
  /** By default this node's Envoy. */
  readonly nextHop?: NextHop;
  readonly localPref?: number;
  readonly metric?: number;
  readonly noExport?: boolean;
  readonly expiry?: number;
  readonly labels?: ReadonlyMap<string, string>;
  readonly schemaDigest?: Uint8Array;
};

/** What happens to a speaker. A peer is named by its node, of which the session below has made sure. */
export type SpeakerEvent =
  | { readonly kind: "up"; readonly peer: string; readonly domain: string }
  | { readonly kind: "message"; readonly peer: string; readonly bytes: Uint8Array }
  /** The peer took the messages of the last `send`. */
  | { readonly kind: "taken"; readonly peer: string }
  /**
   * The session ended; with `retain` its routes stay until the peer is back, or the restart time is over. `end` says why,
   * for those who look on.
   */
  | { readonly kind: "down"; readonly peer: string; readonly retain: boolean; readonly end?: SessionEnd }
  /**
   * This node begins, and these peers were there before: nobody is told that all was told before they have told theirs, or
   * have had time to come.
   */
  | { readonly kind: "expect"; readonly peers: readonly string[] }
  /** The peer is none any more. */
  | { readonly kind: "remove"; readonly peer: string }
  | { readonly kind: "originate"; readonly route: OwnRoute }
  | { readonly kind: "withdraw"; readonly service: string }
  | { readonly kind: "health"; readonly service: string; readonly healthy: boolean }
  /** Time has passed. */
  | { readonly kind: "tick" };

/** What a speaker asks for in answer to an event. */
export type Effects = {
  /** Messages in their order; the next ones come after a `taken`. */
  readonly send: readonly { readonly peer: string; readonly messages: readonly Uint8Array[] }[];
  /** Sessions to end, with why. Their routes are gone already. */
  readonly close: readonly {
    readonly peer: string;
    readonly code: CloseCode;
    readonly text: string;
  }[];
  /** Services of which the data plane sees something else from now on. */
  readonly changed: readonly string[];
  /** Peers that have told all that they have, as END_OF_RIB says. */
  readonly complete: readonly string[];
  /** The instant of the next `tick`, in ms; null when there is nothing to wait for. */
  readonly wakeAt: number | null;
};
