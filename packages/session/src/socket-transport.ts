import type { Socket } from "node:net";
import type { PeerCertificate } from "@catalyst/identity";
import type { Transport, TransportUser } from "./transport.ts";

/** What was proved on a socket. */
export type SocketProof = {
  readonly certificate: PeerCertificate | null;
  readonly ownKeyThumbprint: Uint8Array;
};

/** A transport over a socket of TCP, or of TLS over it, that is connected. */
export function socketTransport(socket: Socket, { certificate, ownKeyThumbprint }: SocketProof): Transport {
  socket.setNoDelay(true);
  const remote = remoteOf(socket);
  let corked = false;
  let error: Error | null = null;
  socket.on("error", (cause) => {
    error = cause;
  });
  return {
    remote,
    certificate,
    ownKeyThumbprint,
    use: ({ onData, onDrain, onEnd }: TransportUser) => {
      socket.on("data", onData);
      socket.on("drain", onDrain);
      socket.on("end", () => socket.end());
      socket.once("close", () => onEnd(error));
    },
    write: (bytes) => {
      // What is written in one turn leaves together, many small messages as one record of TLS, and only after what has
      // come by then was read: a write to a peer that is gone fails, and takes along the reason that it gave.
      if (!corked) {
        corked = true;
        socket.cork();
        setImmediate(() => {
          corked = false;
          socket.uncork();
        });
      }
      return socket.write(bytes);
    },
    close: () => {
      socket.resume();
      socket.end();
    },
    destroy: () => socket.destroy(),
  };
}

/** Where the other end of a socket is. */
export function remoteOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return remoteAddress.includes(":") ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
