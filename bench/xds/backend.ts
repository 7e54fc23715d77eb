// Two services in a process of their own, `a` and `b`: each answers with its name.
import { once } from "node:events";
import { createServer } from "node:http";

const ports = await Promise.all(
  ["a", "b"].map(async (name) => {
    const server = createServer((_, response) => response.end(name)).listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as { port: number }).port;
  }),
);
console.log(JSON.stringify(ports));
