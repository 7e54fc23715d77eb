import { StarError } from "../errors.ts";

/** Where a star listens. */
export type StarUrl = {
  /** Whether it is met over TLS. */
  readonly isSecure: boolean;
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** The same for gRPC. */
  readonly target: string;
  /** The same for HTTP: RFC 9110 §7.2. */
  readonly authority: string;
};

/**
 * Reads where a star listens: `http://host:port`, `https://host:port`, or `host:port`, which is plain text. Throws StarError
 * `request_invalid`.
 */
export function parseStarUrl(text: string): StarUrl {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const isBare =
    url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isBare || !["http:", "https:"].includes(url.protocol) || url.hostname === "" || url.pathname !== "/") {
    throw new StarError(
      "request_invalid",
      `${text.slice(0, 200)}: a star is at http://host:port or https://host:port`,
    );
  }
  const isSecure = url.protocol === "https:";
  const port = Number(url.port || (isSecure ? 443 : 80));
  return {
    isSecure,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port,
    target: `dns:${url.hostname}:${port}`,
    authority: url.host,
  };
}
