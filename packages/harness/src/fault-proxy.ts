import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** TCP between two processes, with the faults that a test wants. It forwards until it is told otherwise. */
export class FaultProxy implements AsyncDisposable {
  /** Where it takes connections. */
  readonly address: string;
  /** How long each piece takes more on its way, in ms. */
  delayMs = 0;
  /** Connections that were begun so far. */
  begun = 0;
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #held: PromiseWithResolvers<void> | null = null;
  #untilHeld = Number.POSITIVE_INFINITY;
  #refuses = false;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.address = `127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on("connection", (socket) => void this.#take(socket));
  }

  /** Begins to forward to a port of this machine, on which nobody has to listen yet. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, targetPort);
  }

  /** Connections that are open, each counted once. */
  get open(): number {
    return Math.ceil(this.#sockets.size / 2);
  }

  /** From now on nothing passes, and nobody is told: connections stay open, and new ones are taken and left alone. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** Holds when so many bytes more have passed, both ways together. */
  holdAfter(bytes: number): void {
    this.#untilHeld = bytes;
  }

  /** What waited passes now, and new connections are taken again. */
  forward(): void {
    this.#refuses = false;
    this.#untilHeld = Number.POSITIVE_INFINITY;
    this.#held?.resolve();
    this.#held = null;
  }

  /** New connections are reset. Those that are open stay. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resets all connections, at both ends. */
  cut(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse();
    this.cut();
    this.#held?.resolve();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, "close");
  }

  async #take(client: Socket): Promise<void> {
    this.begun += 1;
    client.on("error", () => undefined);
    if (this.#refuses) {
      reset(client);
      return;
    }
    this.#keep(client);
    await this.#held?.promise;
    if (client.destroyed) return;
    const server = connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true });
    this.#keep(server);
    this.#join(client, server);
    this.#join(server, client);
  }

  /** What is only on its way keeps no test running that is over. */
  #keep(socket: Socket): void {
    this.#sockets.add(socket.unref());
    socket.on("error", () => undefined);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** What comes from one goes to the other, the end too; one that was reset has the other one reset. */
  #join(from: Socket, to: Socket): void {
    const way = new Transform({
      transform: (piece: Buffer, _encoding, done) =>
        void this.#pass(piece.length).then(() => done(null, piece)),
      flush: (done) => void this.#pass().then(() => done()),
    });
    from.pipe(way).pipe(to);
    from.once("close", (failed) => {
      if (failed || !from.readableEnded) void this.#pass().then(() => reset(to));
    });
  }

  async #pass(bytes = 0): Promise<void> {
    await this.#held?.promise;
    if (this.delayMs > 0) await sleep(this.delayMs);
    this.#untilHeld -= bytes;
    if (this.#untilHeld <= 0) this.hold();
  }
}

/**
 * A socket that is reset while its end is on its way is neither reset nor closed (EINVAL, Node 26), and its process does not end any
 * more: such a one is closed.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
