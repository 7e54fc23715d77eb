import { once } from "node:events";
import { Agent, type RequestOptions, request } from "node:http";
import { connect } from "node:tls";

/** Where Envoy listens: a socket's path, or a port of loopback. */
export type Listener = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** A client with one kept connection. */
export class Client implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #to: Listener;

  constructor(to: Listener) {
    this.#to = to;
  }

  /** The body of the answer at a Host; empty when there is none. */
  ask(host: string): Promise<string> {
    return new Promise((resolve) => {
      const options: RequestOptions = { ...this.#to, path: "/", headers: { host }, agent: this.#agent };
      const sent = request(options, (response) => {
        let body = "";
        response.on("data", (text) => {
          body += text;
        });
        response.on("end", () => resolve(body));
      });
      sent.on("error", () => resolve("")).end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
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
