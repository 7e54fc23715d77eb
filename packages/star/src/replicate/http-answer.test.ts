import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { readAnswer } from "./http-answer.ts";

const head = (first: string, ...fields: string[]) => [`HTTP/1.1 ${first}`, ...fields].join("\r\n");
const tag = 'ETag: "00ff"';

test("The head of an answer says which bytes of a file follow", () => {
  const whole = readAnswer(head("200 OK", "content-length: 7", tag, "X-Other: any thing "));
  const first = { chunk: new Uint8Array(0), validator: Buffer.from([0, 255]), offset: 0n, totalSize: 7n };
  assert.deepEqual(whole, { kind: "file", bytes: 7, first, isLast: false });
  const part = readAnswer(
    head("206 ", "Content-Length:3", tag, "CONTENT-RANGE:\tbytes 4-6/9 ", "Connection: TE, Close"),
  );
  assert.deepEqual(part, {
    kind: "file",
    bytes: 3,
    first: { ...first, offset: 4n, totalSize: 9n },
    isLast: true,
  });
});

test("A refusal has a status of gRPC and words of some length", () => {
  const refusal = readAnswer(head("403 Forbidden", "content-length: 20", "grpc-status: 7"));
  assert.deepEqual(refusal, { kind: "refusal", bytes: 20, code: status.PERMISSION_DENIED });
});

test("Whoever says anything else is none who serves files", () => {
  const length = "content-length: 3";
  for (const other of [
    "",
    "SSH-2.0-OpenSSH_9.9",
    "HTTP/1.0 200 OK",
    head("200 OK", tag),
    head("200 OK", length),
    head("200 OK", length, 'etag: W/"00"'),
    head("200 OK", "content-length: 3, 3", tag),
    head("200 OK", "content-length: -3", tag),
    head("200 OK", `content-length: ${2 ** 60}`, tag),
    head("200 OK", length, tag, "transfer-encoding: chunked"),
    head("200 OK", length, tag, " folded: line"),
    head("206 Partial Content", length, tag),
    head("206 Partial Content", length, tag, "content-range: bytes 4-7/9"),
    head("206 Partial Content", length, tag, "content-range: bytes 7-9/9"),
    head("206 Partial Content", length, tag, "content-range: bytes */9"),
    head("301 Moved", length, "location: http://elsewhere/"),
    head("403 Forbidden", length),
    head("403 Forbidden", length, "grpc-status: 0"),
    head("403 Forbidden", length, "grpc-status: 99"),
    head("403 Forbidden", "content-length: 99999", "grpc-status: 7"),
  ])
    assert.equal(readAnswer(other).kind, "none", other);
});
