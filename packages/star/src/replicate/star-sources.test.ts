import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ReadStreamResponseSchema } from "../../generated/orbit/v1/orbit_pb.js";
import { StarSources } from "./star-sources.ts";

test("A first message that comes slowly shows that its source is not silent", async (t) => {
  const chunk = Buffer.alloc(40_000, 7);
  const message = toBinary(ReadStreamResponseSchema, create(ReadStreamResponseSchema, { chunk, offset: 0n }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  const whole = Buffer.concat([head, message]);
  const sessions: Http2Session[] = [];
  const server = createServer()
    .on("session", (session) => sessions.push(session))
    .on("stream", (stream: ServerHttp2Stream) => void trickle(stream, whole));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const sources = new StarSources();
  t.after(async () => {
    await sources[Symbol.asyncDispose]();
    for (const session of sessions) session.destroy();
    server.close();
  });
  const stream = sources.open(
    { url: `127.0.0.1:${port}`, path: "file", token: "" },
    { offset: 0, length: 0 },
  );
  const heard = new Set<number>();
  const watch = setInterval(() => heard.add(stream.heard ?? 0), 10);
  const first = await stream.next();
  clearInterval(watch);
  assert.deepEqual(Buffer.from(first?.chunk ?? []), chunk);
  assert.ok(heard.size > 4, `${[...heard]}`);
  assert.equal(await stream.next(), null);
});

/** Answers with these bytes, a few every 20 ms. */
async function trickle(stream: ServerHttp2Stream, bytes: Uint8Array): Promise<void> {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  for (let at = 0; at < bytes.length; at += 4_000) {
    stream.write(bytes.subarray(at, at + 4_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stream.end();
}
