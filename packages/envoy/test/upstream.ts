import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";

/** What one request got. */
export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

/** A service that answers what it was asked, and a few paths that behave in their own way. */
export type Upstream = AsyncDisposable & {
  readonly server: Server;
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  readonly requests: () => number;
};

export type Echo = {
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
};

/** Listens on a port of loopback, or on a socket. */
export async function startUpstream(
  listen: { path: string } | { host: string; port: number },
): Promise<Upstream> {
  let requests = 0;
  const server = createServer((incoming, response) => {
    requests++;
    const behave = behaviours[incoming.url ?? ""];
    if (behave !== undefined) return void behave(incoming, response);
    const { url, method, headers } = incoming;
    response.setHeader("content-type", "application/json").end(JSON.stringify({ url, method, headers }));
  });
  server.on("upgrade", (_incoming, socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    socket.on("data", (bytes: Buffer) => setTimeout(() => socket.writable && socket.write(bytes), lateMs));
  });
  server.listen(listen);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    server,
    origin: `http://127.0.0.1:${port}`,
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Longer than the time limit of the services in the tests. */
export const lateMs = 700;

type Behaviour = (incoming: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const behaviours: Record<string, Behaviour> = {
  "/late": (_incoming, response) => {
    setTimeout(() => response.end("late"), lateMs);
  },
  "/events": (_incoming, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
    setTimeout(() => response.end("data: last\n\n"), lateMs);
  },
  "/endless": (_incoming, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write("data: tick\n\n");
    const timer = setInterval(() => response.write("data: tick\n\n"), 20);
    response.on("close", () => clearInterval(timer));
  },
  "/count": async (incoming, response) => {
    let bytes = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) bytes += chunk.length;
    response.end(String(bytes));
  },
  "/garbage": (incoming) => {
    incoming.socket.end("220 mail.example ready\r\n");
  },
  "/abort": (incoming) => {
    incoming.socket.destroy();
  },
};

export type Ask = {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
  /** Whether the connection is offered for more requests. */
  readonly keepAlive?: boolean;
};

/** One request to a port of loopback, on a connection of its own. The path is sent as it is. */
export function ask(
  port: number,
  { host, path = "/", method = "GET", headers = {}, body: sentBody, keepAlive }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method,
        headers: { ...headers, host, ...(keepAlive === true ? { connection: "keep-alive" } : {}) },
        agent: false,
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    sent.on("error", reject).end(sentBody);
  });
}

/** What a service says that it was asked. */
export function echoOf({ body }: Answer): Echo {
  return JSON.parse(body) as Echo;
}

/** The one error in an answer of Envoy's own. */
export function errorOf({ body }: Answer): { message: string; extensions: Record<string, string> } {
  const { errors } = JSON.parse(body) as {
    errors: { message: string; extensions: Record<string, string> }[];
  };
  return errors[0] ?? { message: "", extensions: {} };
}
