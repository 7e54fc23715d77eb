import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:tls";
import type { Shown } from "./stranger.ts";

/** Somebody in the place of a root authority, who gives a root to whoever comes, and writes down every byte. */
export class EavesdroppingRoot implements AsyncDisposable {
  readonly #server: Server;
  readonly #heard: Buffer[] = [];
  #connections = 0;

  private constructor(shown: Shown, root: Uint8Array) {
    this.#server = createServer(shown, (socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (bytes) => {
        this.#heard.push(bytes);
        socket.end(
          Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${root.length}\r\n\r\n`), root]),
        );
      });
    });
    this.#server.on("connection", () => {
      this.#connections += 1;
    });
    this.#server.on("tlsClientError", () => undefined);
  }

  static async open(shown: Shown, root: Uint8Array): Promise<EavesdroppingRoot> {
    const eavesdropper = new EavesdroppingRoot(shown, root);
    await once(eavesdropper.#server.listen(0, "127.0.0.1"), "listening");
    return eavesdropper;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** All that was said to it, deciphered, on all connections. */
  heard() {
    const bytes = Buffer.concat(this.#heard);
    return { connections: this.#connections, bytes, text: bytes.toString("latin1") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await once(this.#server, "close");
  }
}
