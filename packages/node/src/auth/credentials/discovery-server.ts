import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { TokenJwk } from "@catalyst/identity";

export type DiscoveryParts = {
  readonly socketPath: string;
  readonly issuers: readonly PublishedIssuer[];
};

/** An issuer of credentials, by its `iss`, and the public keys that sign for it and for no other. */
export type PublishedIssuer = {
  readonly issuer: string;
  readonly jwks: () => readonly TokenJwk[];
};

/** How long others may keep what they were given; far less than a key is published before it signs. */
export const maxAgeSeconds = 300;

/** A request has no body, and few headers. */
const limits = { maxHeaderSize: 64 * 1024, requestTimeout: 10_000, headersTimeout: 10_000 };

/**
 * Serves each issuer's public keys, and where they are, to whoever asks, below its own `iss`: spec/tokens.md §4. On a
 * socket of its own, because what others than the owner may reach must be near nothing else.
 */
export async function serveDiscovery({ socketPath, issuers }: DiscoveryParts): Promise<AsyncDisposable> {
  const documents: ReadonlyMap<string, () => object> = new Map(issuers.flatMap(documentsOf));
  rmSync(socketPath, { force: true });
  const server = createServer(limits, (request, response) => answer(documents, request, response));
  const mask = process.umask(0o177); // open to the owner alone from the first moment: Envoy is the owner's
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
    process.umask(mask);
  });
  chmodSync(socketPath, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What an issuer publishes, by path. RFC 8414 puts the path of an issuer last, OpenID Connect first. */
function documentsOf({ issuer, jwks }: PublishedIssuer): [path: string, document: () => object][] {
  const { pathname } = new URL(issuer);
  const below = pathname === "/" ? "" : pathname;
  const metadata = () => ({
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  });
  return [
    [`${below}/.well-known/jwks.json`, () => ({ keys: jwks() })],
    [`${below}/.well-known/openid-configuration`, metadata],
    [`/.well-known/oauth-authorization-server${below}`, metadata],
  ];
}

function answer(
  documents: ReadonlyMap<string, () => object>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const document = documents.get(request.url?.split("?", 1)[0] ?? "");
  if (document === undefined) {
    response.writeHead(404, { "content-type": "text/plain" }).end("Nothing is served here.\n");
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  const body = JSON.stringify(document());
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": `public, max-age=${maxAgeSeconds}`,
    "access-control-allow-origin": "*",
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
