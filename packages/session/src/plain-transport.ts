import { connect } from "node:net";
import { listenOn, socketAddress } from "./socket-server.ts";
import { socketTransport } from "./socket-transport.ts";
import type { TransportProvider } from "./transport.ts";

/** Nobody proves a key. */
const plain = { certificate: null, ownKeyThumbprint: new Uint8Array(32) };

/**
 * TCP without TLS, spec/session.md §2.2: everybody along the way reads and changes what is said, and whoever reaches the
 * address is whoever they say. Only to see whether two nodes reach each other.
 */
export function insecurePlainTransports(): TransportProvider {
  return {
    authenticated: false,
    dial: (address, dialled) => {
      const socket = connect(socketAddress(address));
      const failed = (error: Error) => dialled.failed(error);
      socket.once("error", failed);
      socket.once("connect", () => {
        socket.off("error", failed);
        dialled.up(socketTransport(socket, plain));
      });
      return () => socket.destroy();
    },
    listen: (address, acceptor) =>
      listenOn(address, acceptor, (socket, taker) => taker.up(socketTransport(socket, plain))),
  };
}
