import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { parseHostAddress } from "@catalyst/config";
import { RpcError, type RpcErrorCode } from "@catalyst/rpc";

const connectMs = 5_000;

/** A connection of TLS 1.3 to `host:port`, as soon as its handshake is over. Throws what the system or TLS says. */
export async function dialTls(address: string, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ ...parseHostAddress(address), minVersion: "TLSv1.3", ...options });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(connectMs) });
    return socket;
  } catch (cause) {
    socket.on("error", () => undefined).destroy();
    throw cause;
  }
}

/** The system's code for what went wrong, such as `ECONNREFUSED`, or its words where it has none. */
export function systemReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

/**
 * Asks one address after the other, until one answers. What `act` throws with the RpcError code `unreachable` leads to the next
 * address, and is thrown for all of them when none is left: `nobody` says who did not answer. Anything else is the end.
 */
export async function firstToAnswer<Result>(
  addresses: readonly string[],
  { unreachable, nobody }: { readonly unreachable: RpcErrorCode; readonly nobody: string },
  act: (address: string) => Promise<Result>,
): Promise<Result> {
  const failures: string[] = [];
  for (const address of addresses) {
    try {
      return await act(address);
    } catch (error) {
      if (!(error instanceof RpcError && error.code === unreachable)) throw error;
      failures.push(`${address}: ${error.message}`);
    }
  }
  throw new RpcError(unreachable, `${nobody} does not answer: ${failures.join("; ")}`);
}
