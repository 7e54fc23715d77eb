import { status } from "@grpc/grpc-js";
import type { ReadStreamResponse } from "../../generated/orbit/v1/orbit_pb.js";
import { StarError } from "../errors.ts";
import type { SourceAddress, SourceStream } from "../replicate/source.ts";
import type { StarSources } from "../replicate/star-sources.ts";
import type { StarClient } from "./star-client.ts";

/** One file's messages from an offset on; `length` zero is to the end. */
export type RelayedFile = (
  offset: bigint,
  length: bigint,
  signal: AbortSignal,
) => AsyncIterable<Partial<Pick<ReadStreamResponse, "chunk" | "offset" | "totalSize" | "validator">>>;

/** A file that a star too old for ReadStream has is asked for in one message: up to this size, in bytes. */
const longestHeader = 64 * 1024 * 1024;
const chunkBytes = 64 * 1024;

/** A file of a star for whoever relays it: by ReadStream, or, of a star that is too old for that, by its header. */
export function relayedFile(star: StarClient, sources: StarSources, source: SourceAddress): RelayedFile {
  return async function* (offset, length, signal) {
    try {
      const range = { offset: Number(offset), length: Number(length) };
      yield* messagesOf(sources.open(source, range), signal);
    } catch (error) {
      if (!(error instanceof StarError) || error.status !== status.UNIMPLEMENTED) throw error;
      // In messages as ReadStream has them: a receiver takes no larger ones than a few megabytes.
      const bytes = await wholeOf(star, source.path);
      for (let at = 0; at < bytes.length; at += chunkBytes)
        yield { chunk: bytes.subarray(at, at + chunkBytes) };
    }
  };
}

/** The messages of a source as they come, without what they leave out. */
async function* messagesOf(stream: SourceStream, signal: AbortSignal): ReturnType<RelayedFile> {
  signal.addEventListener("abort", () => stream.cancel(), { once: true });
  try {
    for (let message = await stream.next(); message !== null; message = await stream.next()) {
      const { chunk, validator, offset, totalSize } = message;
      yield {
        chunk: Buffer.from(chunk), // It is the stream's own, and waits here until it is sent.
        validator,
        ...(offset === undefined ? {} : { offset }),
        ...(totalSize === undefined ? {} : { totalSize }),
      };
    }
  } finally {
    stream.cancel();
  }
}

/** A file of a star that has no ReadStream: its header, as long as the file is. */
async function wholeOf(star: StarClient, path: string): Promise<Uint8Array> {
  const at = path.lastIndexOf("/");
  const folder = at < 0 ? "." : path.slice(0, at) || "/";
  const name = path.slice(at + 1);
  for await (const entry of star.scan(folder)) {
    if (entry.name !== name || entry.isDir) continue;
    if (entry.size > longestHeader) throw outdated(star, `${path} is too large for its ReadHeader`);
    const bytes = await star.header(path, Number(entry.size));
    if (bytes.length === Number(entry.size)) return bytes;
    throw outdated(star, `gives only the beginning of ${path}`);
  }
  throw new StarError("path_missing", `${star.url}: there is no file ${path}`);
}

function outdated({ url }: StarClient, words: string): StarError {
  return new StarError("source_outdated", `${url}: the star knows no ReadStream, and ${words}`);
}
