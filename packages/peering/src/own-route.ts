import { belongsTo, isName } from "@catalyst/wire";
import { decodeAttributes, defaultLocalPref, encodeAttributes, type RouteAttributes } from "./attributes.ts";
import { PeeringError } from "./errors.ts";
import type { Exporter } from "./export-path.ts";
import type { OwnRoute } from "./speaker-event.ts";

/** The attributes of a service of this node's own. Throws {@link PeeringError} `route_invalid`. */
export function ownAttributes(self: Exporter, route: OwnRoute): RouteAttributes {
  if (!isName(route.service) || !belongsTo(route.service, self.domain)) {
    throw new PeeringError("route_invalid", `${route.service} is no service of ${self.domain}`);
  }
  const attributes: RouteAttributes = {
    organisation: self.domain,
    protocol: route.protocol,
    nextHop: route.nextHop ?? self.nextHop,
    nodePath: [],
    orgPath: [],
    localPref: route.localPref ?? defaultLocalPref,
    metric: route.metric ?? 0,
    noExport: route.noExport ?? false,
    expiry: route.expiry ?? null,
    labels: route.labels ?? new Map(),
    schemaDigest: route.schemaDigest ?? null,
    originFact: null,
  };
  try {
    // What no peer would accept is refused here, where somebody can mend it.
    decodeAttributes(encodeAttributes({ ...attributes, nodePath: [self.node] }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PeeringError("route_invalid", `the route of ${route.service}: ${reason}`, { cause });
  }
  return attributes;
}
