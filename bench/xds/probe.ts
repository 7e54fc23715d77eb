import { once } from "node:events";
import { connect as connectPlain, type Socket, type TcpNetConnectOpts } from "node:net";
import { connect } from "node:tls";

/** Where Envoy listens: a socket's path, or a port of loopback. */
export type Listener = { readonly path: string } | { readonly host: string; readonly port: number };

/**
 * A client with one connection, one request at a time, and nothing else: what it costs is part of every figure.
 * Answers must say their length.
 */
export class Client implements Disposable {
  readonly #to: Listener;
  #socket: Socket | null = null;
  #received = "";
  #answered: (body: string) => void = () => {};

  constructor(to: Listener) {
    this.#to = to;
  }

  /** The body of the answer at a Host; empty when there is none. */
  ask(host: string): Promise<string> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket ??= this.#connect();
      this.#socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    });
  }

  [Symbol.dispose](): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = connectPlain({ ...this.#to, noDelay: true } as TcpNetConnectOpts);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#socket = null;
      this.#received = "";
      this.#answered("");
    });
    return socket;
  }

  #take(text: string): void {
    this.#received += text;
    const head = this.#received.indexOf("\r\n\r\n");
    const length = /^content-length: (\d+)/im.exec(this.#received)?.[1];
    if (head < 0 || length === undefined) return;
    const end = head + 4 + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.slice(head + 4, end);
    this.#received = "";
    this.#answered(body);
  }
}

/** The common name of the certificate that is presented on a socket. */
export async function presented(path: string): Promise<string> {
  const socket = connect({ path, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}
