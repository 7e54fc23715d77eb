import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { type Address, readHostAddress } from "@catalyst/config";
import { SessionError } from "./errors.ts";
import type { Acceptor, Dialled, Listening } from "./transport.ts";

/** Reads `host:port` or `[host]:port`. Throws {@link SessionError} `misused` for another text. */
export function socketAddress(address: string): Address {
  const read = readHostAddress(address);
  if (read === null) throw new SessionError("misused", `${address} is not HOST:PORT`);
  return read;
}

/** Accepts connections of TCP; `take` makes a transport of each that there is room for. */
export async function listenOn(
  address: string,
  acceptor: Acceptor,
  take: (socket: Socket, taker: Dialled) => void,
): Promise<Listening> {
  /** Those that are no transport yet: nobody else would end them. */
  const pending = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    const taker = acceptor.accept({ address: socket.remoteAddress ?? "" });
    if (taker === null) {
      socket.destroy();
      return;
    }
    pending.add(socket);
    socket.once("close", () => pending.delete(socket));
    take(socket, {
      failed: taker.failed,
      up: (transport) => {
        pending.delete(socket);
        taker.up(transport);
      },
    });
  });
  try {
    server.listen(socketAddress(address));
    await once(server, "listening");
  } catch (cause) {
    if (cause instanceof SessionError) throw cause;
    throw new SessionError("listen_failed", `cannot listen on ${address}: ${String(cause)}`, { cause });
  }
  return {
    address: shownAddress(address, server.address()),
    close: () => {
      for (const socket of pending) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function shownAddress(asked: string, found: ReturnType<ReturnType<typeof createServer>["address"]>): string {
  if (found === null || typeof found === "string") return asked;
  return found.family === "IPv6" ? `[${found.address}]:${found.port}` : `${found.address}:${found.port}`;
}
