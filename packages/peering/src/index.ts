export type { AttributeSet } from "./attribute-set.ts";
export {
  decodeAttributes,
  encodeAttributes,
  type NextHop,
  type Protocol,
  protocols,
  type RouteAttributes,
} from "./attributes.ts";
export { type DampingOptions, defaultDamping } from "./damping.ts";
export { encodeEndOfRib } from "./end-of-rib.ts";
export { type CloseCode, closeCodes, PeeringError, type PeeringErrorCode } from "./errors.ts";
export { explainRoute, type RouteExplanation } from "./explain.ts";
export { compileGlob, type NameTest } from "./glob.ts";
export { encodeHealth } from "./health.ts";
export { defaultLimits, type PeerLimits } from "./limits.ts";
export { decodeMessage, type Message } from "./message.ts";
export { messageLimits } from "./name-list.ts";
export type { UsablePath } from "./path.ts";
export {
  type Channel,
  type Clock,
  createPeering,
  type OwnEvent,
  type Peering,
  type PeeringParts,
} from "./peering.ts";
export { compilePolicy, type PolicyMatch, type PolicyRule, type PolicySet } from "./policy.ts";
export { encodeRefresh } from "./refresh.ts";
export type { RouteChange, RouteEvent, SessionEnd, SweepReason, Tap } from "./route-event.ts";
export { Speaker, type SpeakerOptions } from "./speaker.ts";
export type { Effects, Moment, OwnRoute, SpeakerEvent } from "./speaker-event.ts";
export { encodeUpdate } from "./update.ts";
export {
  type AdvertisedRoute,
  type AttributesView,
  advertisedRoutes,
  type PeerView,
  type ReceivedRoute,
  receivedRoutes,
  viewAttributes,
  viewPeers,
} from "./view.ts";
