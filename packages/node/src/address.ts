import { isIP } from "node:net";
import { isAddress, isAnyAddress, isLoopback, parseAddress } from "@catalyst/config";

/**
 * Whether a URL leads back to one of the addresses that this node listens on: a service there would make every
 * request to it go round in circles.
 */
export function leadsTo(url: string, listeners: readonly string[]): boolean {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const wanted = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  // What is no address has been told already.
  return listeners
    .filter(isAddress)
    .map(parseAddress)
    .some((listener) => {
      if (listener.port !== wanted) return false;
      const here = host === "localhost" || isLoopback({ host, port: wanted });
      return listener.host === host || (here && (isAnyAddress(listener) || isLoopback(listener)));
    });
}

/** Whether two listeners cannot both have their address: one port, and one host, or one of them on every host. */
export function clash(one: string, other: string): boolean {
  if (!isAddress(one) || !isAddress(other)) return false;
  const [a, b] = [parseAddress(one), parseAddress(other)];
  if (a.port !== b.port || a.port === 0 || isIP(a.host) !== isIP(b.host)) return false;
  return a.host === b.host || isAnyAddress(a) || isAnyAddress(b);
}
