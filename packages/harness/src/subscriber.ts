import { request } from "node:http";

/** A subscription that a client holds open, and what came of it. */
export type Subscriber = Disposable & {
  readonly transport: "sse" | "websocket";
  /** Results so far, as the client read them. */
  readonly results: { readonly data?: Record<string, unknown>; readonly errors?: unknown }[];
  /** Why it is not open any more; null while it is. */
  readonly ended: string | null;
};

/** Subscribes by server-sent events (graphql-sse, "distinct connections mode"). */
export function subscribeBySse(
  url: string,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Subscriber> {
  const results: Subscriber["results"] = [];
  let ended: string | null = null;
  const call = request(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
    agent: false,
  });
  const subscriber: Subscriber = {
    transport: "sse",
    results,
    get ended() {
      return ended;
    },
    [Symbol.dispose]: () => void call.destroy(),
  };
  const opened = new Promise<Subscriber>((resolve, reject) => {
    call.on("error", (error) => {
      ended ??= error.message;
      reject(error);
    });
    call.on("response", (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`));
      let rest = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        const events = (rest + chunk).split("\n\n");
        rest = events.pop() ?? "";
        for (const event of events) {
          if (/^event: ?complete$/m.test(event)) ended ??= "complete";
          const data = /^data: ?(.+)$/m.exec(event)?.[1];
          if (data !== undefined && ended === null) results.push(JSON.parse(data));
        }
      });
      response.on("error", (error) => {
        ended ??= error.message;
      });
      response.on("close", () => {
        ended ??= "the connection was closed";
      });
      resolve(subscriber);
    });
  });
  call.end(JSON.stringify({ query }));
  return opened;
}

/** Subscribes by WebSocket (the subprotocol `graphql-transport-ws`). */
export function subscribeByWebSocket(url: string, query: string): Promise<Subscriber> {
  const results: Subscriber["results"] = [];
  let ended: string | null = null;
  const socket = new WebSocket(url.replace(/^http/, "ws"), "graphql-transport-ws");
  const subscriber: Subscriber = {
    transport: "websocket",
    results,
    get ended() {
      return ended;
    },
    [Symbol.dispose]: () => socket.close(),
  };
  return new Promise((resolve, reject) => {
    const send = (message: object) => socket.send(JSON.stringify(message));
    socket.addEventListener("open", () => send({ type: "connection_init" }));
    socket.addEventListener("close", ({ code, reason }) => {
      ended ??= `closed with ${code} ${reason}`;
      reject(new Error(ended));
    });
    socket.addEventListener("message", ({ data }) => {
      const { type, payload } = JSON.parse(String(data));
      if (type === "connection_ack") {
        send({ id: "1", type: "subscribe", payload: { query } });
        resolve(subscriber);
      }
      if (type === "ping") send({ type: "pong" });
      if (type === "next") results.push(payload);
      if (type === "error") ended ??= JSON.stringify(payload);
      if (type === "complete") ended ??= "complete";
    });
  });
}
