import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import { join, normalize } from "node:path";

const root = join(import.meta.dirname, "../../..");

/** The doors by their names, as a page finds them. */
const imports = Object.fromEntries(
  ["wire", "identity", "evidence"].map((name) => [
    `@catalyst/${name}/portable`,
    `/packages/${name}/src/portable.ts`,
  ]),
);

const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/packages/evidence/test/browser-page.ts"></script>`;

/**
 * Serves the checkout's sources to a browser, with nothing but their types taken away, and the vectors. What the page
 * posts goes to `onResult`.
 */
export function createSite(onResult: (text: string) => void): Server {
  return createServer((request, response) => {
    if (request.method === "POST") {
      let text = "";
      request.setEncoding("utf8").on("data", (part) => (text += part));
      request.on("end", () => {
        response.end();
        onResult(text);
      });
      return;
    }
    serve(request.url ?? "/", response);
  });
}

function serve(url: string, response: ServerResponse): void {
  const send = (type: string, text: string) => response.writeHead(200, { "content-type": type }).end(text);
  const path = normalize(url);
  if (path === "/") return void send("text/html", page);
  const known = /^\/(?:packages\/[a-z]+\/(?:src|test)|spec\/vectors)\/[\w./-]+\.(?:ts|json)$/.test(path);
  if (!known) return void response.writeHead(404).end();
  const text = readFileSync(join(root, path), "utf8");
  if (path.endsWith(".json")) send("application/json", text);
  else send("text/javascript", stripTypeScriptTypes(text));
}
