import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  ReadFilesRequestSchema,
  type ReadFilesResponse,
  ReadStreamRequestSchema,
  type ReadStreamResponse,
} from "../../generated/orbit/v1/orbit_pb.js";
import { authSecret, startTestStar } from "../test-star.ts";
import { mintTransferToken } from "../transfer-token.ts";

const chunkBytes = 4_096;

/** So many chunks, each of its own number. */
function numbered(chunks: number): Buffer {
  const bytes = Buffer.alloc(chunks * chunkBytes);
  for (let at = 0; at < chunks; at++) bytes.fill(at % 251, at * chunkBytes, (at + 1) * chunkBytes);
  return bytes;
}

/** Lets some messages pile up at the star now and then. */
async function slowly<Message>(messages: AsyncIterable<Message>): Promise<Message[]> {
  const taken: Message[] = [];
  for await (const message of messages) {
    if (taken.push(message) % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return taken;
}

test("What waits for a slow receiver is not written over, by ReadStream or ReadFiles, however many streams are under way", async () => {
  await using star = await startTestStar({ chunkBytes });
  const bytes = numbered(400);
  const path = join(star.folder, "file");
  writeFileSync(path, bytes);
  const request = create(ReadStreamRequestSchema, {
    ...{ path, transferToken: mintTransferToken(authSecret, path) },
  });
  const many = create(ReadFilesRequestSchema, { files: [request] });
  const read = async () => {
    const messages: AsyncIterable<ReadStreamResponse> = star.client.stream("ReadStream", request);
    return (await slowly(messages)).map(({ chunk }) => chunk);
  };
  const readMany = async () => {
    const messages: AsyncIterable<ReadFilesResponse> = star.client.stream("ReadFiles", many);
    return (await slowly(messages)).map(({ message }) => message?.chunk ?? new Uint8Array());
  };
  const all = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? read() : readMany()));
  for (const chunks of await Promise.all(all)) assert.ok(Buffer.concat(chunks).equals(bytes));
});
