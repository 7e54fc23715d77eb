import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import { type HttpAnswer, longestHead, readAnswer } from "./http-answer.ts";
import type { HttpConnection, Receiver } from "./http-connection.ts";
import {
  type AskedRange,
  type SourceAddress,
  type SourceMessage,
  type SourceStream,
  sourceError,
} from "./source.ts";

/** What a source is asked for: a target, and fields of a head (RFC 9112 §3, §5). */
export type Question = { readonly target: string; readonly fields: readonly string[] };

/** Who is told how a stream ends. */
export type Leaving = {
  /** The connection is free for something else, or is over. */
  readonly onEnd: () => void;
  /** Whoever is there does not answer as spec/star.md §11 says, or nobody is. */
  readonly onNone: () => void;
};

/** How far an answer has come. */
type Phase =
  | { readonly kind: "head"; readonly text: string }
  | { readonly kind: "refusal"; readonly code: status; readonly bytes: number; readonly text: string }
  | { readonly kind: "body"; readonly toCome: number; readonly isLast: boolean }
  /** Nothing more comes, and the reader has not taken all of it. */
  | { readonly kind: "whole"; readonly isLast: boolean }
  | { readonly kind: "over" };

const endOfHead = "\r\n\r\n";
/** Who has given no answer after so long gives none, as far as one can tell; in ms. */
const patienceMs = 2_000;

/** The bytes of a file by HTTP/1.1. A chunk is the reader's until it asks for the next one. */
export class HttpStream implements SourceStream, Receiver {
  readonly #connection: HttpConnection;
  readonly #source: SourceAddress;
  readonly #leaving: Leaving;
  readonly #askedAt = performance.now();
  #phase: Phase = { kind: "head", text: "" };
  readonly #messages: SourceMessage[] = [];
  /** Whether the reader has bytes that the connection lends. */
  #isLent = false;
  #failure: StarError | null = null;
  #wake: (() => void) | null = null;

  constructor(
    connection: HttpConnection,
    source: SourceAddress,
    { target, fields }: Question,
    leaving: Leaving,
  ) {
    this.#connection = connection;
    this.#source = source;
    this.#leaving = leaving;
    connection.ask(target, fields, this);
  }

  async next(): Promise<SourceMessage | null> {
    if (this.#isLent) this.#connection.letGo();
    this.#isLent = false;
    if (this.#messages.length === 0 && this.#isUnderWay) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#messages.shift();
    if (message === undefined) {
      if (this.#failure !== null) throw this.#failure;
      this.#leave();
      return null;
    }
    this.#isLent = message.chunk.length > 0;
    return message;
  }

  cancel(): void {
    if (this.#phase.kind === "over") return;
    this.#messages.length = 0;
    const isLate = performance.now() - this.#askedAt >= patienceMs;
    if (this.#phase.kind === "head" && isLate) this.#leaving.onNone();
    this.#fail(status.CANCELLED, "no more is wanted");
  }

  receive(bytes: Buffer): boolean {
    const phase = this.#phase;
    if (phase.kind === "body") return this.#receiveBody(bytes, phase);
    if (phase.kind === "head") return this.#receiveHead(bytes, phase.text + bytes.toString("latin1"));
    if (phase.kind === "refusal")
      this.#receiveRefusal({ ...phase, text: phase.text + bytes.toString("latin1") });
    // Nobody has asked for more than the whole.
    if (phase.kind === "whole") this.#phase = { kind: "whole", isLast: true };
    return false;
  }

  lost(why: string): void {
    const words = `no connection: ${why}`;
    if (this.#phase.kind === "head") this.#failAsNone(words);
    else if (this.#isUnderWay) this.#fail(status.UNAVAILABLE, words);
  }

  get #isUnderWay(): boolean {
    return this.#phase.kind !== "whole" && this.#phase.kind !== "over";
  }

  #receiveHead(bytes: Buffer, text: string): boolean {
    const end = text.indexOf(endOfHead);
    if (end < 0) {
      this.#phase = { kind: "head", text };
      if (text.length > longestHead) this.#failAsNone("a head without an end");
      return false;
    }
    const after = text.length - end - endOfHead.length;
    return this.#begin(readAnswer(text.slice(0, end)), bytes.subarray(bytes.length - after));
  }

  #begin(answer: HttpAnswer, rest: Buffer): boolean {
    if (answer.kind === "none") {
      this.#failAsNone(answer.why);
      return false;
    }
    const { bytes } = answer;
    if (answer.kind === "refusal") {
      const { code } = answer;
      this.#receiveRefusal({ kind: "refusal", code, bytes, text: rest.toString("latin1") });
      return false;
    }
    const { isLast } = answer;
    this.#phase = bytes === 0 ? { kind: "whole", isLast } : { kind: "body", toCome: bytes, isLast };
    this.#pass(answer.first);
    return rest.length > 0 && this.receive(rest);
  }

  #receiveBody(bytes: Buffer, { toCome, isLast }: Phase & { kind: "body" }): boolean {
    const left = toCome - bytes.length;
    if (left < 0) {
      this.#fail(status.OUT_OF_RANGE, "sent more than it said");
      return false;
    }
    this.#phase = left === 0 ? { kind: "whole", isLast } : { kind: "body", toCome: left, isLast };
    this.#pass({ chunk: bytes, validator: new Uint8Array(0) });
    return true;
  }

  #receiveRefusal(refusal: Phase & { kind: "refusal" }): void {
    this.#phase = refusal;
    const { code, bytes, text } = refusal;
    if (text.length < bytes) return;
    const words = Buffer.from(text, "latin1").toString("utf8").trim();
    // The token came from another address than the call's: the way to this port is not the same for both.
    if (words.startsWith("token_reused: ")) this.#failAsNone(words);
    else this.#fail(code, words);
  }

  #pass(message: SourceMessage): void {
    this.#messages.push(message);
    this.#wake?.();
  }

  #failAsNone(why: string): void {
    this.#leaving.onNone();
    this.#fail(status.UNAVAILABLE, why);
  }

  #fail(code: status, details: string): void {
    this.#failure ??= sourceError(this.#source, code, details);
    this.#leave();
    this.#wake?.();
  }

  #leave(): void {
    const phase = this.#phase;
    if (phase.kind === "over") return;
    this.#phase = { kind: "over" };
    if (phase.kind === "whole" && !phase.isLast && this.#failure === null) this.#connection.rest();
    else this.#connection.destroy();
    this.#leaving.onEnd();
  }
}

/** How a file is asked for. Throws StarError `token_invalid` where the token could be none. */
export function questionFor({ url, path, token }: SourceAddress, { offset, length }: AskedRange): Question {
  if (!/^[\w.-]*$/.test(token)) throw new StarError("token_invalid", `${url}: the token is no JWT`);
  const last = length === 0 ? "" : offset + length - 1;
  const range = offset === 0 && length === 0 ? [] : [`Range: bytes=${offset}-${last}`];
  return {
    target: `/file?path=${encodeURIComponent(path.toWellFormed())}`,
    fields: [`Authorization: Bearer ${token}`, ...range],
  };
}
