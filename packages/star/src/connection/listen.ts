import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";

/** Serves at `host:port`; resolves with the port. Throws StarError `listen_failed`. */
export function listen(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(listenFailed(address, error));
    });
  });
}

/** Why nothing can be served at an address. */
export function listenFailed(address: string, cause: Error): StarError {
  // gRPC passes the system's code on within its words alone.
  const [code = ""] = /\bE[A-Z]{4,}\b/.exec(cause.message) ?? [];
  const why = listenFailures[code] ?? cause.message;
  return new StarError("listen_failed", `${address} cannot be listened at: ${why}`, { cause });
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "something listens there already",
  EADDRNOTAVAIL: "this is no address of this machine",
  EACCES: "the star's user may not do that",
};
