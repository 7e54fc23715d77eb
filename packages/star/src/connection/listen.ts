import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import { type Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import { type TlsFiles, TlsStore } from "./tls-files.ts";

/** Who answers at a star's port: gRPC, and HTTP/1.1 where there is somebody for it. */
export type Answering = { readonly grpc: GrpcServer; readonly http?: RequestListener };

export type ListenOptions = {
  /** Who shows a certificate is met over TLS; with authorities its callers need one of theirs. Default: plain text. */
  readonly tls?: TlsFiles | undefined;
  /** How often it is looked whether the certificate was renewed, in ms; default 10 s. */
  readonly lookEveryMs?: number;
};

/** A port that is listened at. */
export type Listening = {
  readonly port: number;
  /** Takes nobody new, and resolves when all that is under way has ended, or was ended after so many ms. */
  stop(graceMs: number): Promise<void>;
};

/** Who has connected and does not say in which protocol is let go after so long, in ms. */
const silentMs = 20_000;
/** What HTTP/1.1 begins with here: the letter of GET. HTTP/2 begins with that of PRI (RFC 9113 §3.4). */
const firstOfGet = "G".charCodeAt(0);
/** Connections whose last answer has ended are looked for so often when nobody new is taken, in ms. */
const idleEveryMs = 50;
const httpOptions = {
  /** A path and a token that names it, each character of the path as three. */
  maxHeaderSize: 32 * 1024,
  headersTimeout: 20_000,
  keepAliveTimeout: 60_000,
};

/** Serves at a host and a port, 0: any free one. Throws StarError `listen_failed` and `certificate_invalid`. */
export async function listen(
  { grpc, http = notHere }: Answering,
  host: string,
  port: number,
  { tls, lookEveryMs = 10_000 }: ListenOptions = {},
): Promise<Listening> {
  const calls = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const takeCalls = (socket: Socket) => {
    socket.allowHalfOpen = false; // HTTP/2 ends with either side.
    calls.injectConnection(socket);
  };
  let isStopping = false;
  const answer: RequestListener = (request, response) => {
    if (isStopping) response.setHeader("connection", "close");
    http(request, response);
  };
  const server = tls === undefined ? plain(answer, takeCalls) : secured(answer, takeCalls, tls, lookEveryMs);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    socket.on("error", () => undefined); // Whoever it is given to sees that it ends.
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const fail = (error: Error) => reject(listenFailed(address, error));
    server.once("error", fail).listen(port, host, () => {
      server.removeListener("error", fail);
      resolve();
    });
  });
  const stop = async (graceMs: number): Promise<void> => {
    const force = setTimeout(() => {
      grpc.forceShutdown();
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    isStopping = true;
    // Who has said nothing has nothing under way.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    const idle = setInterval(() => server.closeIdleConnections(), idleEveryMs);
    const shut = new Promise((resolve) => grpc.tryShutdown(resolve));
    await Promise.all([shut, new Promise((resolve) => server.close(resolve))]);
    clearTimeout(force);
    clearInterval(idle);
  };
  return { port: (server.address() as { port: number }).port, stop };
}

type TakeCalls = (socket: Socket) => void;

const notHere: RequestListener = (_, response) => {
  response.writeHead(404).end();
};

/** Plain text shows by its first byte what it is. */
function plain(http: RequestListener, takeCalls: TakeCalls): HttpServer {
  const server = createHttpServer(httpOptions, http);
  const takeHttp = takeOver(server, "connection");
  return server.on("connection", (socket) => {
    const leave = () => socket.destroy();
    socket.setTimeout(silentMs, leave).once("end", leave);
    socket.once("data", (bytes: Buffer) => {
      socket.setTimeout(0).removeListener("timeout", leave).removeListener("end", leave);
      socket.pause();
      socket.unshift(bytes);
      if (bytes[0] !== firstOfGet) return takeCalls(socket);
      takeHttp(socket);
      process.nextTick(() => socket.resume()); // It listens by then.
    });
  });
}

/** TLS says before what it will be (RFC 7301). */
function secured(
  http: RequestListener,
  takeCalls: TakeCalls,
  tls: TlsFiles,
  lookEveryMs: number,
): HttpServer {
  const store = new TlsStore(tls);
  let shown = store.material;
  if (shown.cert === undefined)
    throw new StarError("certificate_invalid", "who serves over TLS needs a certificate with its key");
  const requestCert = tls.authoritiesFile !== undefined;
  const ALPNProtocols = ["h2", "http/1.1"];
  const options = { ...httpOptions, ...shown, requestCert, ALPNProtocols, handshakeTimeout: silentMs };
  const server = withTls(() => createHttpsServer(options, http));
  const takeHttp = takeOver(server, "secureConnection");
  server.on("secureConnection", (socket) => {
    socket.on("error", () => undefined);
    if (socket.alpnProtocol === "h2") takeCalls(socket);
    else takeHttp(socket);
  });
  const renew = () => {
    const { material } = store;
    if (material === shown) return;
    shown = material;
    try {
      withTls(() => server.setSecureContext(material));
    } catch (error) {
      if (!(error instanceof StarError)) throw error; // What was shown before goes on being shown.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  server.on("listening", () => {
    timer = setInterval(renew, lookEveryMs).unref();
  });
  return server.on("close", () => clearInterval(timer));
}

/** Throws StarError `certificate_invalid` where TLS does not take what the files hold, such as a key that is too short. */
function withTls<Made>(make: () => Made): Made {
  try {
    return make();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StarError("certificate_invalid", `TLS does not take what is shown to callers: ${why}`, {
      cause,
    });
  }
}

/** Stops a server from taking connections by itself; returns how it is given one. */
function takeOver(server: HttpServer, event: "connection" | "secureConnection"): (socket: Socket) => void {
  const [taking] = server.listeners(event);
  server.removeAllListeners(event);
  return (socket) => taking?.call(server, socket);
}

/** Why nothing can be served at an address. */
export function listenFailed(address: string, cause: NodeJS.ErrnoException): StarError {
  const why = listenFailures[cause.code ?? ""] ?? cause.message;
  return new StarError("listen_failed", `${address} cannot be listened at: ${why}`, { cause });
}

const listenFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: "something listens there already",
  EADDRNOTAVAIL: "this is no address of this machine",
  EACCES: "the star's user may not do that",
};
