import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { ReadFilesResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import type { Call, Listener } from "../connection/star-channel.ts";
import { GrpcBatch } from "./grpc-batch.ts";
import type { SourceStream } from "./source.ts";

/** A batch of files named 0, 1 and so on, of a source that is this test. */
function batchOf(files: number) {
  let listener: Listener | undefined;
  const seen = { isHeldBack: false, cancelled: 0, alone: [] as string[] };
  const begin = (_: Uint8Array, given: Listener): Call => {
    listener = given;
    return {
      pause: () => {
        seen.isHeldBack = true;
      },
      resume: () => {
        seen.isHeldBack = false;
      },
      cancel: (code, details) => {
        seen.cancelled += 1;
        given.onEnd(code, details);
      },
    };
  };
  const openAlone = ({ path }: { readonly path: string }): SourceStream => {
    seen.alone.push(path);
    return { next: async () => null, cancel: () => undefined };
  };
  const sources = Array.from({ length: files }, (_, at) => ({ url: "star", path: `${at}`, token: "" }));
  const batch = new GrpcBatch(begin, sources, openAlone);
  const say = (message: MessageInitShape<typeof ReadFilesResponseSchema>) => {
    const bytes = Buffer.from(toBinary(ReadFilesResponseSchema, create(ReadFilesResponseSchema, message)));
    const half = Math.floor(bytes.length / 2);
    listener?.onPiece(bytes.subarray(0, half), false);
    listener?.onPiece(bytes.subarray(half), true);
  };
  return { streams: batch.streams as readonly SourceStream[], seen, say };
}

const bytes = (length: number) => ({ chunk: new Uint8Array(length) });

test("A source of large messages sends no more than some megabytes ahead of who reads", async () => {
  const { streams, seen, say } = batchOf(2);
  say({ file: 1, message: bytes(3_000_000) });
  assert.equal(seen.isHeldBack, false);
  say({ file: 1, message: bytes(3_000_000) });
  assert.equal(seen.isHeldBack, true);
  await streams[1]?.next();
  assert.equal(seen.isHeldBack, false);
});

test("Where nothing comes any more the files of which nothing came are opened alone, and those that began fail", async () => {
  const { streams, seen, say } = batchOf(3);
  say({ file: 0, message: bytes(1) });
  await streams[0]?.next();
  const [first, second] = [streams[0]?.next(), streams[1]?.next()];
  streams[1]?.cancel();
  assert.equal(seen.cancelled, 1);
  await assert.rejects(second ?? Promise.resolve(), { status: status.CANCELLED });
  await assert.rejects(first ?? Promise.resolve(), { status: status.ABORTED });
  assert.equal(await streams[2]?.next(), null);
  assert.deepEqual(seen.alone, ["2"]);
});

test("What comes of files that are here already is no sign of life", () => {
  const { streams, say } = batchOf(2);
  const heard = () => streams[1]?.heard;
  say({ file: 0, isLast: true, message: bytes(5) });
  const before = heard();
  for (let time = 0; time < 10; time++) say({ file: 0, message: bytes(5) });
  assert.equal(heard(), before);
  say({ file: 1, message: bytes(5) });
  assert.notEqual(heard(), before);
});

test("What is of no file of the batch is refused", () => {
  const { say } = batchOf(2);
  assert.throws(() => say({ file: 2, message: bytes(1) }), { code: "source_refused" });
});

test("Empty messages are no sign of life, but for a file's first and its last", async () => {
  const { streams, say } = batchOf(2);
  const heard = () => streams[0]?.heard;
  const before = heard();
  say({ file: 0 });
  assert.equal(heard(), before);
  say({ file: 0, message: {} });
  assert.equal((await streams[0]?.next())?.chunk.length, 0);
  const begun = heard();
  for (let time = 0; time < 10; time++) say({ file: 0, message: {} });
  assert.equal(heard(), begun);
  say({ file: 0, isLast: true });
  assert.equal(await streams[0]?.next(), null);
});
