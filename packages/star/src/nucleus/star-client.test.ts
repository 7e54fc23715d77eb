import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Server, type ServerWritableStream, status } from "@grpc/grpc-js";
import {
  type FileEntry,
  FileEntrySchema,
  HandshakeResponseSchema,
  type ScanRequest,
} from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import { starService } from "../service.ts";
import { StarClient } from "./star-client.ts";

/** A star whose listings are these: names, and how each ends. */
async function listing(t: TestContext, ...scripts: { names: string[]; end: status; details?: string }[]) {
  const { Handshake, ScanDirectory } = starService;
  const server = new Server();
  let sessions = 0;
  server.addService(
    { Handshake, ScanDirectory },
    {
      Handshake: (_: unknown, respond: (error: null, value: unknown) => void) =>
        respond(null, create(HandshakeResponseSchema, { accepted: true, sessionId: String(++sessions) })),
      ScanDirectory: (call: ServerWritableStream<ScanRequest, FileEntry>) => {
        const { names, end, details = "" } = scripts.shift() ?? { names: [], end: status.OK };
        for (const name of names) call.write(create(FileEntrySchema, { name }));
        if (end === status.OK) call.end();
        else call.emit("error", { code: end, details });
      },
    },
  );
  const { port, stop } = await listen({ grpc: server }, "127.0.0.1", 0);
  const client = new StarClient({ url: `127.0.0.1:${port}`, token: "star" });
  t.after(async () => {
    client[Symbol.dispose]();
    await stop(0);
  });
  return {
    sessions: () => sessions,
    names: async () => (await Array.fromAsync(client.scan("/"))).map(({ name }) => name),
  };
}

const over = { end: status.UNAUTHENTICATED };

test("A listing whose session ends goes on with another one, and tells each name once", async (t) => {
  const of = await listing(
    t,
    { names: [], ...over, details: "session_missing: call Handshake" },
    { names: ["a", "b"], ...over },
    { names: ["b", "c", "a"], end: status.OK },
  );
  assert.deepEqual(await of.names(), ["a", "b", "c"]);
  assert.equal(of.sessions(), 3);
});

test("A star that ends every session is given up, and no other failure begins a listing anew", async (t) => {
  const of = await listing(t, ...Array.from({ length: 9 }, () => ({ names: ["a"], ...over })));
  await assert.rejects(of.names(), { code: "session_missing" });
  assert.equal(of.sessions(), 3);
  const other = await listing(t, { names: ["a"], end: status.DATA_LOSS, details: "broken" });
  await assert.rejects(other.names(), { code: "star_failed", status: status.DATA_LOSS, message: /broken$/ });
  assert.equal(other.sessions(), 1);
});
