import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  HandshakeResponseSchema,
  type ReplicateFilesRequest,
  type ReplicateFilesResponse,
  ReplicateFilesResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import { StarError } from "../errors.ts";
import { starService } from "../service.ts";
import { authSecret, slowedSources, startWholeStar } from "../test-star.ts";
import { Nucleus } from "./nucleus.ts";
import type { StarPath } from "./replication.ts";

function nucleus(t: TestContext): Nucleus {
  const made = new Nucleus({ authSecret });
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

type Told = MessageInitShape<typeof ReplicateFilesResponseSchema>;

/** A destination that tells this of every batch, whatever it was asked. */
async function telling(t: TestContext, messages: readonly Told[]): Promise<(path: string) => StarPath> {
  const { Handshake, ReplicateFiles } = starService;
  const server = new Server();
  server.addService(
    { Handshake, ReplicateFiles },
    {
      Handshake: (_: unknown, respond: (error: null, value: unknown) => void) =>
        respond(
          null,
          create(HandshakeResponseSchema, { accepted: true, sessionId: "s", capabilities: ["batches"] }),
        ),
      ReplicateFiles: (call: ServerWritableStream<ReplicateFilesRequest, ReplicateFilesResponse>) => {
        for (const message of messages) call.write(create(ReplicateFilesResponseSchema, message));
        call.end();
      },
    },
  );
  const { port, stop } = await listen({ grpc: server }, "127.0.0.1", 0);
  t.after(() => stop(0));
  return (path) => ({ star: { url: `127.0.0.1:${port}`, token: "star" }, path });
}

test("What a destination tells twice, or of a file that nobody asked for, counts once or not at all", async (t) => {
  const at = await telling(t, [
    { file: 7, answer: { success: true } },
    { file: 1, answer: { success: true, bytesTransferred: 5n } },
    { file: 1, status: status.NOT_FOUND },
    { file: 1, answer: { success: true, bytesTransferred: 9n } },
    { file: 0, answer: { success: false, errorMessage: "disk on fire" } },
  ]);
  const orders = ["zero", "one"].map((path) => ({ from: at(path), to: at(path) }));
  const told: unknown[] = [];
  await nucleus(t).replicateAll(orders, async (file, outcome) => {
    told.push([file, outcome instanceof StarError ? outcome.code : outcome.bytes]);
  });
  assert.deepEqual(told, [
    [1, 5],
    [0, "star_failed"],
  ]);
});

test("Who cannot take what came of one file ends the call, and hears why", async (t) => {
  const a = await startWholeStar(t);
  const b = await startWholeStar(t, slowedSources(30)); // The last files come after the failure.
  const names = Array.from({ length: 40 }, (_, at) => `f${at}`);
  for (const name of names) writeFileSync(join(a.folder, name), randomBytes(100));
  const orders = names.map((name) => ({ from: a.at(name), to: b.at(name) }));
  const replicating = nucleus(t).replicateAll(orders, async () => {
    throw new Error("no room for a line");
  });
  await assert.rejects(replicating, /no room for a line/);
});

test("What a destination calls cancelled, when nobody gave up, is a failure of that file alone", async (t) => {
  const told = { status: status.CANCELLED, details: "cancelled: the caller gave up" };
  const at = await telling(t, [
    { file: 0, ...told },
    { file: 1, answer: { success: true } },
  ]);
  const orders = ["zero", "one"].map((path) => ({ from: at(path), to: at(path) }));
  const ends = new Map<number, string>();
  await nucleus(t).replicateAll(orders, async (file, outcome) => {
    ends.set(file, outcome instanceof StarError ? outcome.code : "done");
  });
  assert.deepEqual([ends.get(0), ends.get(1)], ["cancelled", "done"]);
});

test("A destination that takes no notice of what is expected is not believed", async (t) => {
  const expectedChecksum = randomBytes(32);
  const checksum = expectedChecksum.toString("hex");
  const answer = (bytesTransferred: bigint, told: string) => ({
    answer: { success: true, bytesTransferred, checksum: told },
  });
  const at = await telling(t, [
    { file: 0, ...answer(5n, checksum) },
    { file: 1, ...answer(4n, checksum) },
    { file: 2, ...answer(5n, "0".repeat(64)) },
  ]);
  const orders = ["zero", "one", "two"].map((path) => {
    return { from: at(path), to: at(path), expectedSize: 5, expectedChecksum };
  });
  const ends = new Map<number, string>();
  await nucleus(t).replicateAll(orders, async (file, outcome) => {
    ends.set(file, outcome instanceof StarError ? outcome.code : "done");
  });
  assert.deepEqual(
    [0, 1, 2].map((file) => ends.get(file)),
    ["done", "content_mismatch", "content_mismatch"],
  );
});
