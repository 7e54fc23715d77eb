import type { TLSSocket } from "node:tls";
import {
  decodeInvitationMessage,
  encodeInvitationMessage,
  IdentityError,
  type InvitationMessage,
  maxInvitationBytes,
} from "@catalyst/identity";
import { RpcError } from "@catalyst/rpc";
import { createFrameDecoder, encodeFrame, WireError } from "@catalyst/wire";

/** One end of the conversation of spec/invitation.md §3, over a connection whose handshake is over. */
export class PeerExchange implements Disposable {
  readonly socket: TLSSocket;
  readonly #frames: Uint8Array[] = [];
  #due: number;
  #failure: Error | null = null;
  #wake = () => {};

  /**
   * @param due how many messages the other end may send
   * @param patienceMs how long all of it may take; then the connection is cut
   */
  constructor(socket: TLSSocket, due: number, patienceMs: number) {
    this.socket = socket;
    this.#due = due;
    const decoder = createFrameDecoder({
      onFrame: (payload) => this.#take(payload),
      maxFrameBytes: maxInvitationBytes,
    });
    const timer = setTimeout(() => {
      this.#fail(unreachable("it took too long"));
      socket.destroy();
    }, patienceMs);
    socket.on("error", (error) => this.#fail(unreachable(error.message)));
    socket.once("close", () => {
      clearTimeout(timer);
      this.#fail(unreachable("the connection ended"));
    });
    socket.on("data", (bytes: Buffer) => {
      if (this.#failure !== null) return;
      try {
        decoder.push(bytes);
      } catch (error) {
        if (error instanceof IdentityError) this.#fail(error);
        else if (error instanceof WireError) this.#fail(malformed(error));
        else throw error;
      }
    });
  }

  send(message: InvitationMessage): void {
    this.socket.write(encodeFrame(encodeInvitationMessage(message)));
  }

  /** Sends a last message; the connection ends behind it. */
  end(message: InvitationMessage): void {
    this.send(message);
    this.socket.end();
  }

  /** The next message, of a kind that is due. Throws IdentityError `message_malformed`, RpcError `peer_unreachable`. */
  async receive<Kind extends InvitationMessage["kind"]>(...due: readonly Kind[]) {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return decodeInvitationMessage(frame, due);
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(payload: Uint8Array): void {
    this.#due -= 1;
    if (this.#due < 0) throw new IdentityError("message_malformed", "more messages came than are due");
    this.#frames.push(payload);
    this.#wake();
  }

  /** What came before is still given; nothing more is read. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}

function malformed(cause: WireError): IdentityError {
  return new IdentityError("message_malformed", cause.message, { cause });
}

function unreachable(why: string): RpcError {
  return new RpcError("peer_unreachable", why);
}
