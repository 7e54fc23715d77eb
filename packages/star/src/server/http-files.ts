import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  type ReadStreamRequest,
  ReadStreamRequestSchema,
  type ReadStreamResponse,
} from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import type { Refusal } from "../refusal.ts";
import { type OnFailure, refusalOf } from "./calls.ts";
import { Outgoing, type Receiver } from "./outgoing.ts";
import { rangeOf } from "./range.ts";
import type { Reading } from "./reading.ts";

export type HttpFilesOptions = {
  /** How long a receiver may take nothing, in ms. */
  readonly idleMs: number;
  readonly onFailure: OnFailure;
};

/** So many chunks may wait for a receiver: `Reading` writes over those before them. */
const chunksAhead = 3;
/** More than any chunk has: each is sent as it was read. */
const anyChunk = 0xffff_ffff;
const mostBytes = 0xffff_ffff_ffff_ffffn;

/**
 * The files of a star by HTTP/1.1 (spec/star.md §11): `GET /file?path=…` with a transfer token, and a range where one is wanted. The same
 * bytes as ReadStream's, for less of both ends.
 */
export function filesByHttp(reading: Reading, { idleMs, onFailure }: HttpFilesOptions): RequestListener {
  return (request, response) => {
    const { remoteAddress } = request.socket;
    // It was gone before it was looked at: nobody is there to whom its token could be bound.
    if (remoteAddress === undefined) return void response.destroy();
    Promise.try(async () => {
      const wanted = requestOf(request);
      const answer = new Answer(wanted, response, idleMs);
      await reading.read(wanted, remoteAddress, (message, isLast) => answer.send(message, isLast));
      await answer.end();
    }).catch((error) => refuse(response, refusalOf("GET", onFailure, error)));
  };
}

/** Throws StarError `request_invalid`, and `path_missing` where it is nothing that a star has. */
function requestOf({ method, url = "", headers }: IncomingMessage): ReadStreamRequest {
  // RFC 9112 §3.2.2: the target may be absolute.
  const target = /^(?:https?:\/\/[^/?]*)?\/file(?:\?(.*))?$/i.exec(url);
  if (target === null) throw new StarError("path_missing", "a star has files by GET /file?path=… alone");
  if (method !== "GET") throw new StarError("request_invalid", "a star answers GET");
  const path = new URLSearchParams(target[1]).get("path");
  if (path === null) throw new StarError("request_invalid", "no path is named: GET /file?path=…");
  const [, transferToken = ""] = /^Bearer ([\w.-]+)$/i.exec(headers.authorization ?? "") ?? [];
  return create(ReadStreamRequestSchema, { path, transferToken, chunkBytes: anyChunk, ...rangeIn(headers) });
}

/**
 * RFC 9110 §14.1.2: one range with a beginning; whatever else is asked for is the whole file. So is a range on a condition (§13.1.5), which
 * is never wrong.
 */
function rangeIn(headers: IncomingMessage["headers"]): { offset: bigint; length: bigint } {
  const whole = { offset: 0n, length: 0n };
  const range = /^bytes=(\d{1,30})-(\d{0,30})$/.exec(headers.range ?? "");
  if (range === null || headers["if-range"] !== undefined) return whole;
  const [, first = "", last = ""] = range;
  const offset = BigInt(first);
  if (last === "") return { offset: least(offset), length: 0n };
  return BigInt(last) < offset ? whole : { offset: least(offset), length: least(BigInt(last) - offset + 1n) };
}

/** What a field of the message holds: no file has as many bytes. */
function least(number: bigint): bigint {
  return number < mostBytes ? number : mostBytes;
}

/** A file's bytes on their way to a receiver. */
class Answer {
  readonly #wanted: ReadStreamRequest;
  readonly #response: ServerResponse;
  readonly #outgoing: Outgoing<Uint8Array>;
  /** It shows that the file has not changed, and waits until that is known. */
  #last: ReadStreamResponse | null = null;

  constructor(wanted: ReadStreamRequest, response: ServerResponse, idleMs: number) {
    this.#wanted = wanted;
    this.#response = response;
    response.on("error", () => undefined); // Of a receiver that is gone: `send` sees it.
    const receiver: Receiver<Uint8Array> = {
      write: (chunk, onSent) => response.write(chunk, onSent),
      get isGone() {
        return response.destroyed;
      },
      onGone: (tell) => response.on("close", tell),
    };
    this.#outgoing = new Outgoing(receiver, { idleMs, ahead: chunksAhead });
  }

  /** As `Outgoing.send`; throws StarError `range_invalid` too. */
  async send(message: ReadStreamResponse, isLast: boolean): Promise<void> {
    if (isLast) {
      this.#last = message;
      return;
    }
    this.#begin(message);
    await this.#outgoing.send(message.chunk);
  }

  /** Resolves when all was taken; throws like `send`. */
  async end(): Promise<void> {
    if (this.#last !== null) {
      this.#begin(this.#last);
      await this.#outgoing.send(this.#last.chunk);
    }
    this.#response.end();
    await this.#outgoing.taken();
  }

  /** RFC 9110 §14.4, §8.8.3. */
  #begin({ totalSize = 0n, validator }: ReadStreamResponse): void {
    if (this.#response.headersSent) return;
    const { offset, length } = this.#wanted;
    const { from, to } = rangeOf(offset, length, Number(totalSize));
    const isWhole = offset === 0n && length === 0n;
    if (!isWhole && from === to)
      throw new StarError("range_invalid", `the file has ${totalSize} bytes, and ${offset} lies behind them`);
    this.#response.writeHead(isWhole ? 200 : 206, {
      "content-type": "application/octet-stream",
      "content-length": to - from,
      ...(isWhole ? {} : { "content-range": `bytes ${from}-${to - 1}/${totalSize}` }),
      etag: `"${Buffer.from(validator).toString("hex")}"`,
      "accept-ranges": "bytes",
    });
  }
}

/** What has begun breaks off: its length shows that. */
function refuse(response: ServerResponse, { code, details }: Refusal): void {
  if (response.headersSent) return void response.destroy();
  const words = Buffer.from(`${details}\n`);
  response.writeHead(httpStatus[code] ?? 500, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": words.length,
    "grpc-status": code,
  });
  response.end(words);
}

/** 500 where it is missing. */
const httpStatus: Readonly<Partial<Record<status, number>>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.PERMISSION_DENIED]: 403,
  [status.NOT_FOUND]: 404,
  [status.FAILED_PRECONDITION]: 409,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 416,
  [status.RESOURCE_EXHAUSTED]: 503,
};
