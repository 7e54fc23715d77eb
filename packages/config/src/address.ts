import { isIP } from "node:net";

/** Where something listens, or where it is reached: an IP address, or where that is said a host's name, and a port. */
export type Address = { readonly host: string; readonly port: number };

const pattern = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;

/** Reads `127.0.0.1:10000` or `[::1]:0`; null when the text is no IP address and port, or the port is over 65535. */
export function readAddress(text: string): Address | null {
  const [, six, four, port] = pattern.exec(text) ?? [];
  const host = six ?? four ?? "";
  const valid = isIP(host) === (six === undefined ? 4 : 6) && Number(port) <= 65_535;
  return valid ? { host, port: Number(port) } : null;
}

/** Whether a text is an IP address and a port that can be reached: from 1. */
export function isAddress(text: string): boolean {
  return (readAddress(text)?.port ?? 0) >= 1;
}

const hostPattern = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)):(0|[1-9][0-9]{0,4})$/;

/**
 * Reads `n1.example:7400` too: a host's name in lower case, or an IP address, and a port. Null when the text is neither,
 * or the port is over 65535.
 */
export function readHostAddress(text: string): Address | null {
  const [, six, name, port] = hostPattern.exec(text) ?? [];
  const host = six ?? name ?? "";
  const valid = host !== "" && (six === undefined || isIP(six) === 6) && Number(port) <= 65_535;
  return valid ? { host, port: Number(port) } : null;
}

/** Whether a text is a host's name or IP address and a port that can be reached: from 1. */
export function isHostAddress(text: string): boolean {
  return (readHostAddress(text)?.port ?? 0) >= 1;
}

/** Reads a host's address that a schema has admitted. */
export function parseHostAddress(text: string): Address {
  const address = readHostAddress(text);
  if (address === null) throw new Error(`unreachable: the schema admitted the address ${text}`);
  return address;
}

/** Reads an address that a schema has admitted. */
export function parseAddress(text: string): Address {
  const address = readAddress(text);
  if (address === null) throw new Error(`unreachable: the schema admitted the address ${text}`);
  return address;
}

/** Writes an address as it is read. */
export function showAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether an address is reached from this machine alone. */
export function isLoopback({ host }: Address): boolean {
  return host === "::1" || host.startsWith("127.");
}

/** Whether what listens there listens on every address of its machine. */
export function isAnyAddress({ host }: Address): boolean {
  return host === "0.0.0.0" || host === "::";
}
