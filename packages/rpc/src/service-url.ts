import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";

const maxLength = 2_048;
const maxHostLength = 253;
const hostLabel = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Where a service is reached: an http or https URL (RFC 3986) of a host that can be connected to, read as the WHATWG's
 * standard does, so that `0x7f.1` is 127.0.0.1; or `tcp://host:port`. Refused is what could never work, with what to write
 * instead.
 */
export const serviceUrl = z.string().superRefine((text, context) => {
  const problem = isTcpUrl(text) ? problemOfTcpUrl(text) : problemOfUrl(text);
  if (problem !== null) context.addIssue({ code: "custom", message: problem });
});

export function isTcpUrl(text: string): boolean {
  return /^tcp:/i.test(text);
}

/** What is wrong with the URL and what to do; null when a service may have it. Repeats no password. */
function problemOfUrl(text: string): string | null {
  if (text.length > maxLength) return `is longer than ${maxLength} characters: shorten its path`;
  if (!/^https?:\/\//i.test(text)) return "is not an http:// or https:// URL: begin with one of the two";
  if (/[\s\p{Cc}\\]/u.test(text))
    return "holds a space, a control character or a backslash: take it out, or write %20 in a path";
  // The standard skips every slash that stands before the host.
  if (/^[^/]*\/{2,}[^/?#]*@/.test(text))
    return "holds a user name or password: take it out, and have callers send an authorization header";
  if (/[?#]/.test(text)) return "holds a query or a fragment: end it with the path";
  if (!URL.canParse(text)) return "is not a URL: write it as http://host:port/path with a port below 65536";
  const { protocol, hostname, port } = new URL(text);
  if (port === "0") return "has port 0, which nobody listens on: write the port that the service listens on";
  return hostname.startsWith("[") || isIPv4(hostname)
    ? problemOfAddress(hostname.replace(/^\[(.*)\]$/, "$1"))
    : problemOfName(hostname, protocol);
}

/** The host is written as it is meant, for nobody reads it as the standard reads that of a web address. */
function problemOfTcpUrl(text: string): string | null {
  const [, host, port] = /^tcp:\/\/(\[[^\]/]*\]|[^:/?#@[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (host === undefined)
    return "is not a tcp:// URL of a host and a port alone: write it as tcp://host:port";
  if (port === undefined) return "has no port: write the one that the service listens on, as tcp://host:port";
  if (!URL.canParse(`http://${host}:${port}`))
    return "is not a URL: write it as tcp://host:port, with a port below 65536";
  const { hostname } = new URL(`http://${host}:${port}`);
  if (hostname !== host) return `has the host ${host}, which means ${hostname}: write that`;
  return problemOfUrl(`http://${host}:${port}`);
}

function problemOfName(host: string, protocol: string): string | null {
  const name = host.replace(/\.$/, "");
  if (name.length > maxHostLength)
    return `has a host longer than ${maxHostLength} characters: no DNS name is`;
  if (!name.split(".").every((label) => hostLabel.test(label)))
    return `has a host that is no DNS name, ${JSON.stringify(host)}: write labels of letters, digits and hyphens with one dot between them`;
  if (name !== host && protocol === "https:")
    return "has a host that ends with a dot, which no certificate is for: write it without";
  return null;
}

function problemOfAddress(address: string): string | null {
  const bytes = bytesOf(address);
  const [first = 0, second = 0] = bytes;
  if (bytes.length === 4 ? first === 0 : bytes.every((byte) => byte === 0))
    return `has the host ${address}, which servers listen on and nobody connects to: write 127.0.0.1 for this machine, or the service's address`;
  if (bytes.length === 4 ? (first & 0xf0) === 0xe0 || bytes.every((byte) => byte === 0xff) : first === 0xff)
    return `has the host ${address}, which is a group of machines: write the address of the service alone`;
  if (bytes.length === 16 && first === 0xfe && (second & 0xc0) === 0x80)
    return `has the host ${address}, which means another machine on each network: write an address that is not link-local, or a name`;
  return null;
}

/** The bytes of an address in the form that a URL gives it: 4, also of an IPv4 address written as IPv6, or 16. */
function bytesOf(address: string): number[] {
  if (!isIPv6(address)) return address.split(".").map(Number);
  const [head = "", tail] = address.split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? [] : Array<number>(8 - before.length - after.length).fill(0);
  const bytes = [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}
