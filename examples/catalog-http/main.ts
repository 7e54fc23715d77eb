// Plain HTTP: nothing of GraphQL. Clients reach it through Envoy at the Host `catalog-http.<domain>`.
import { parseArgs } from "node:util";
import { requestIdOf, serveService } from "@catalyst/sdk";
import { Hono } from "hono";
import { etag } from "hono/etag";
import { streamSSE } from "hono/streaming";

type Product = { readonly id: string; readonly name: string; readonly pages: number };

const topics = ["Bread", "Bees", "Boats", "Birds", "Books", "Bells", "Brass", "Bicycles"];
const forms = ["Introduction to", "Atlas of", "History of", "Care of", "Mending", "Drawing", "Buying"];

// 224 products, the same at every start.
const products = new Map<string, Product>();
for (const edition of ["first", "second", "third", "fourth"]) {
  for (const topic of topics) {
    for (const form of forms) {
      const number = products.size + 1;
      const id = `c${number}`;
      products.set(id, {
        id,
        name: `${form} ${topic}, ${edition} edition`,
        pages: 80 + ((number * 37) % 300),
      });
    }
  }
}

const views = new EventTarget();
const app = new Hono();

// The ETag is a digest of the answer: a client that has it already is answered 304 without the body.
app.use("/products.json", etag());
app.use("/products/*", etag());

app.get("/products.json", (c) => {
  const limit = Number(c.req.query("limit") ?? "50");
  const offset = Number(c.req.query("offset") ?? "0");
  if (!Number.isInteger(limit) || limit < 0 || limit > 500)
    return refuse(c.req.raw, "limit must be from 0 to 500");
  if (!Number.isInteger(offset) || offset < 0) return refuse(c.req.raw, "offset must be 0 or more");
  const page = [...products.values()].slice(offset, offset + limit);
  return c.json({ total: products.size, offset, products: page });
});

app.get("/products/:id", (c) => {
  const product = products.get(c.req.param("id"));
  if (product === undefined) return c.notFound();
  views.dispatchEvent(new CustomEvent("view", { detail: product.id }));
  return c.json(product);
});

// Server-sent events: one whenever somebody looks at a product, until the client leaves.
app.get("/views", (c) =>
  streamSSE(c, async (stream) => {
    const left = new Promise<void>((resolve) => stream.onAbort(resolve));
    const tell = (event: Event) => {
      const data = JSON.stringify({ productId: (event as CustomEvent<string>).detail });
      void stream.writeSSE({ event: "view", data });
    };
    views.addEventListener("view", tell);
    await left;
    views.removeEventListener("view", tell);
  }),
);

app.notFound((c) => c.json({ error: `nothing is at ${c.req.path}`, requestId: requestIdOf(c.req.raw) }, 404));

/** With the id under which Envoy and this service log the request: who asks for help can name it. */
function refuse(request: Request, error: string): Response {
  return Response.json({ error, requestId: requestIdOf(request) }, { status: 400 });
}

const { values } = parseArgs({
  options: { port: { type: "string", default: "4004" }, "data-dir": { type: "string" } },
});

await serveService({
  name: "catalog-http",
  protocol: "http",
  port: Number(values.port),
  dataDir: values["data-dir"],
  handler: app,
});
