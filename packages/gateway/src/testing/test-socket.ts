import { once } from "node:events";
import { WebSocket } from "ws";
import type { TestGateway } from "./test-gateway.ts";

/** A client of `graphql-transport-ws` that says what it is told to, right or wrong. */
export type TestSocket = AsyncDisposable & {
  readonly socket: WebSocket;
  /** Code and reason of the close frame. */
  readonly closed: Promise<readonly [number, string]>;
  send(message: unknown): void;
  /** The next message that came. */
  next(): Promise<Record<string, unknown>>;
};

export type TestSocketOptions = {
  readonly protocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether `connection_init` is sent and its answer waited for; yes when left out. */
  readonly init?: boolean;
};

export async function openSocket(shop: TestGateway, options: TestSocketOptions = {}): Promise<TestSocket> {
  const { protocol = "graphql-transport-ws", headers = {}, init = true } = options;
  const socket = new WebSocket(shop.url.replace("http", "ws"), protocol, { headers });
  const messages: Record<string, unknown>[] = [];
  let wake: () => void = () => undefined;
  socket.on("message", (data) => {
    messages.push(JSON.parse(String(data)));
    wake();
  });
  const closed = once(socket, "close").then(([code, reason]) => [Number(code), String(reason)] as const);
  await once(socket, "open");
  const client: TestSocket = {
    socket,
    closed,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    async next() {
      for (;;) {
        const message = messages.shift();
        if (message !== undefined) return message;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
  if (init) {
    client.send({ type: "connection_init" });
    await client.next();
  }
  return client;
}
