import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";

/**
 * A TCP service that says a word first, then repeats what it is told, and says good-bye when its caller has
 * finished. Told to `finish` it does so first, and counts what it hears all the same.
 */
export type TcpService = AsyncDisposable & {
  readonly port: number;
  /** `tcp://127.0.0.1:<port>`. */
  readonly url: string;
  /** Connections that were ever opened to it, also by probes. */
  readonly accepted: () => number;
  readonly open: () => number;
  readonly heardBytes: () => number;
};

export async function startTcpService(word: string): Promise<TcpService> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let heardBytes = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.write(word);
    socket.on("end", () => socket.end("bye"));
    socket.on("data", (bytes: Buffer) => {
      heardBytes += bytes.length;
      if (!socket.writable) return;
      if (bytes.toString() === "finish") socket.end("done");
      else socket.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    url: `tcp://127.0.0.1:${port}`,
    accepted: () => accepted,
    open: () => sockets.size,
    heardBytes: () => heardBytes,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** A connection to a port of loopback; its errors only end it. */
export function dial(port: number): Socket {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  return socket.on("error", () => socket.destroy());
}

/** Says something, finishes, and gives all that came until the other side had finished too; null when nobody took it. */
export async function converse(port: number, said: string | Buffer): Promise<string | null> {
  const socket = dial(port);
  socket.end(said);
  const heard = await text(socket).catch(() => "");
  return heard === "" ? null : heard;
}
