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

/** Nobody sends more than the hello and an answer. */
const mostFrames = 2;

/** One end of the conversation of spec/invitation.md §3, over a connection whose handshake is over. */
export class PeerExchange implements Disposable {
  readonly socket: TLSSocket;
  readonly #frames: Uint8Array[] = [];
  #failure: Error | null = null;
  #wake = () => {};

  /** @param patienceMs how long all of it may take; then the connection is cut */
  constructor(socket: TLSSocket, patienceMs: number) {
    this.socket = socket;
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
        if (!(error instanceof WireError)) throw error;
        this.#fail(new IdentityError("message_malformed", error.message, { cause: error }));
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
    if (this.#frames.length >= mostFrames) throw new WireError("frame_too_large", "more frames than are due");
    this.#frames.push(payload);
    this.#wake();
  }

  /** What came before is still given; nothing more is read. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }
}

function unreachable(why: string): RpcError {
  return new RpcError("peer_unreachable", why);
}
