// The server under test in a process of its own: takes changes as lines on its standard input.
import { createInterface } from "node:readline";
import { createResource, createXdsServer, defaultKey } from "@catalyst/xds";

type Line = { readonly upsert: readonly (readonly [type: string, name: string, body: string])[] };

const server = await createXdsServer({ listen: [`unix:${process.argv[2]}`] });
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const { upsert } = JSON.parse(line) as Line;
  const resources = upsert.map(([type, name, body]) =>
    createResource(type, name, Buffer.from(body, "base64")),
  );
  const at = process.hrtime.bigint();
  server.update(defaultKey, { upsert: resources });
  console.log(String(at));
}
await server.close();
