import { showAddress } from "@catalyst/config";
import type { AttributesView } from "@catalyst/peering";

/** What lists of routes and the tap show of a route's attributes. */
export function routeRow(service: string, route: AttributesView) {
  const { origin, protocol, nextHop, nodePath, localPref, metric, labels } = route;
  const where = { nextHop: showAddress(nextHop), nodePath: [...nodePath] };
  return { service, origin, protocol, ...where, localPref, metric, labels: { ...labels } };
}
