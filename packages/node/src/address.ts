import { isIP } from "node:net";

/** Where something listens, or where it is reached. */
export type Address = { readonly host: string; readonly port: number };

/** Reads `127.0.0.1:10000` or `[::1]:10000`. The schema has admitted it: a malformed one is a defect. */
export function parseAddress(text: string): Address {
  const match = addressPattern.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  return { host, port: Number(match?.[3]) };
}

/** Whether text is an IP address and a port. */
export function isAddress(text: string): boolean {
  const match = addressPattern.exec(text);
  if (match === null) return false;
  const family = match[1] === undefined ? isIP(match[2] ?? "") === 4 : isIP(match[1]) === 6;
  return family && Number(match[3]) >= 1 && Number(match[3]) <= 65_535;
}

/** Whether an address is reached from this machine alone. */
export function isLoopback({ host }: Address): boolean {
  return host === "::1" || host.startsWith("127.");
}

/**
 * Whether a URL leads back to one of the addresses that this node listens on: a service there would make every
 * request to it go round in circles.
 */
export function leadsTo(url: string, listeners: readonly string[]): boolean {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const wanted = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  return listeners.map(parseAddress).some((listener) => {
    if (listener.port !== wanted) return false;
    const here = host === "localhost" || isLoopback({ host, port: wanted });
    const anywhere = listener.host === "0.0.0.0" || listener.host === "::";
    return listener.host === host || (here && (anywhere || isLoopback(listener)));
  });
}

const addressPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;
