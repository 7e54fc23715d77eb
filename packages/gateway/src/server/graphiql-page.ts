import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { createGunzip, gzip } from "node:zlib";

/** GraphiQL as one page, from the package. */
export type GraphiqlPage = {
  /** Sends the page; answers with the status. */
  send(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<number>;
};

type Page = { readonly compressed: Buffer; readonly etag: string };

/** The page is nine megabytes of script: it is made when it is asked for first, and kept compressed. */
export function createGraphiqlPage(): GraphiqlPage {
  let made: Promise<Page> | null = null;
  return {
    async send(request, response, requestId) {
      made ??= makePage();
      const { compressed, etag } = await made;
      const headers = {
        etag,
        "cache-control": "no-cache",
        vary: "accept-encoding",
        "x-request-id": requestId,
      };
      if (request.headers["if-none-match"] === etag) {
        response.writeHead(304, headers).end();
        return 304;
      }
      const type = { ...headers, "content-type": "text/html; charset=utf-8" };
      if (/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
        const length = compressed.length;
        response
          .writeHead(200, { ...type, "content-encoding": "gzip", "content-length": length })
          .end(compressed);
      } else {
        const page = createGunzip();
        page.pipe(response.writeHead(200, type));
        page.end(compressed);
      }
      return 200;
    },
  };
}

async function makePage(): Promise<Page> {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const page = renderGraphiQL({ title: "Catalyst", subscriptionsProtocol: "SSE" });
  const compressed = await promisify(gzip)(page);
  return { compressed, etag: `"${createHash("sha256").update(compressed).digest("base64url")}"` };
}
