import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { Deadline } from "./deadline.ts";

/** A request as it is sent: POST, with a JSON body. */
export type Message = {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: string;
};

/** An answer, whole. */
export type Reply = {
  readonly kind: "reply";
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

/** What became of a request. */
export type Outcome =
  | Reply
  | { readonly kind: "too_long" }
  /** It came compressed, which nobody asked for: what it unpacks to could be of any length. */
  | { readonly kind: "encoded"; readonly encoding: string }
  /** `sent`: something of the request may have been; `begun`: so had the answer. */
  | { readonly kind: "broken"; readonly cause: Error; readonly sent: boolean; readonly begun: boolean }
  /** Not waited for any longer: the deadline says why. */
  | { readonly kind: "ended" };

/** Sends a request and takes the whole answer into memory, `maxBytes` at the most. Never throws. */
export function exchange(
  pool: Dispatcher,
  { path, headers, body }: Message,
  { maxBytes, deadline }: { readonly maxBytes: number; readonly deadline: Deadline },
): Promise<Outcome> {
  return new Promise((resolve) => {
    const collector = new AnswerCollector(maxBytes, (outcome) => {
      deadline.listen(null);
      resolve(outcome);
    });
    deadline.listen(() => collector.giveUp({ kind: "ended" }));
    pool.dispatch({ method: "POST", path, headers, body }, collector);
  });
}

/** Made once: an error with a stack for every request that is given up would cost more than the request. */
const givenUp = new Error("given up");

class AnswerCollector implements Dispatcher.DispatchHandler {
  readonly #maxBytes: number;
  readonly #settle: (outcome: Outcome) => void;
  readonly #chunks: Buffer[] = [];
  #settled = false;
  #controller: Dispatcher.DispatchController | null = null;
  #size = 0;
  #status = 0;
  #headers: IncomingHttpHeaders = {};

  constructor(maxBytes: number, settle: (outcome: Outcome) => void) {
    this.#maxBytes = maxBytes;
    this.#settle = settle;
  }

  /** Ends the request with this outcome and its connection with it, if it has one yet. */
  giveUp(outcome: Outcome): void {
    this.#end(outcome);
    this.#controller?.abort(givenUp);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(givenUp);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding !== "identity") this.giveUp({ kind: "encoded", encoding });
    if (Number(headers["content-length"] ?? 0) > this.#maxBytes) this.giveUp({ kind: "too_long" });
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) {
      this.#chunks.length = 0;
      this.giveUp({ kind: "too_long" });
    } else {
      this.#chunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const [status, headers] = [this.#status, this.#headers];
    this.#end({ kind: "reply", status, headers, body: whole });
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    this.#end({ kind: "broken", cause, sent: this.#controller !== null, begun: this.#status !== 0 });
  }

  #end(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(outcome);
  }
}
