import { request } from "node:http";
import { RpcError } from "./errors.ts";

/** One plain HTTP request to a process on this machine. */
export type SocketRequest = {
  readonly socketPath: string;
  /** Path and query. */
  readonly path: string;
  /** Default `GET`. */
  readonly method?: "GET" | "POST";
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** A longer answer is refused. Default 64 MiB. */
  readonly maxBytes?: number;
};

/** A whole answer, whatever its status. */
export type SocketAnswer = { readonly status: number; readonly body: string };

/**
 * Asks over HTTP on a Unix socket: health, readiness and metrics of our processes, Envoy's administration.
 *
 * Throws {@link RpcError} `unreachable`, `disconnected`, `timeout`, or `invalid_response` for an answer that is too
 * long.
 *
 * @example
 * ```ts
 * const { status, body } = await requestSocket({ socketPath, path: "/readyz", timeoutMs: 1_000 });
 * ```
 */
export function requestSocket(asked: SocketRequest): Promise<SocketAnswer> {
  const { socketPath, path, method = "GET", timeoutMs, maxBytes = 64 * 1024 * 1024 } = asked;
  const what = `${method} ${path} on ${socketPath}`;
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const fail = (code: "unreachable" | "disconnected") => (cause: Error) => {
      if (cause instanceof RpcError) return reject(cause);
      if (!signal.aborted) return reject(new RpcError(code, `${what} failed: ${cause.message}`, { cause }));
      reject(new RpcError("timeout", `${what} was not answered within ${timeoutMs} ms`, { cause }));
    };
    const call = request({ socketPath, path, method, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= maxBytes) return;
        response.destroy(
          new RpcError("invalid_response", `${what} was answered with more than ${maxBytes} bytes`),
        );
      });
      response.on("error", fail("disconnected"));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    call.on("error", fail("unreachable")).end();
  });
}
