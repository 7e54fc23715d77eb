import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** TCP from the node that dials to the one that is dialled, which notes when the latter says something. */
export type Wire = AsyncDisposable & {
  readonly port: number;
  /** Resolves with the time at which the next bytes come from the node that was dialled. */
  readonly nextFromTarget: () => Promise<number>;
};

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
      told?.(performance.now());
      told = null;
      near.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    nextFromTarget: () => new Promise((resolve) => (told = resolve)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
