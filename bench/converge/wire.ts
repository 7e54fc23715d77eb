import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** TCP from the node that dials to the one that is dialled, which notes when the latter tells of a route. */
export type Wire = AsyncDisposable & {
  readonly port: number;
  /** Resolves with the time at which the next UPDATE begins to come from the node that was dialled. */
  readonly nextUpdate: () => Promise<number>;
};

/**
 * What is under TLS shows by its length alone what it is: CREDIT and KEEPALIVE have less than 50 bytes, an UPDATE of one service
 * has some 250. Taken for one, they began a measurement before there was anything to tell of.
 */
const leastUpdateBytes = 128;

export async function openWire(targetPort: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let told: ((at: number) => void) | null = null;
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket
        .on("error", () => undefined)
        .on("close", () => {
          near.destroy();
          far.destroy();
        });
    }
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => {
      if (bytes.length >= leastUpdateBytes) {
        told?.(performance.now());
        told = null;
      }
      near.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    nextUpdate: () => new Promise((resolve) => (told = resolve)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
