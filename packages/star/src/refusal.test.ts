import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { StarError, type StarErrorCode } from "./errors.ts";
import { readRefusal, writeRefusal } from "./refusal.ts";

const url = "http://192.0.2.1:50051";
const read = (code: status, details: string) => {
  const error = readRefusal(url, { code, details }, (of) =>
    of === status.UNAVAILABLE ? "star_unreachable" : "star_failed",
  );
  return [error.code, error.status, error.message];
};

test("What a star refuses is read with the code and the status with which it was written", () => {
  const codes: StarErrorCode[] = ["path_outside", "token_expired", "disk_full", "source_refused"];
  fc.assert(
    fc.property(fc.constantFrom(...codes), fc.string({ maxLength: 300 }), fc.nat(16), (code, words, of) => {
      const written = writeRefusal(new StarError(code, words, { status: of }));
      const { code: readCode, status: readStatus, message } = readRefusal(url, written, () => "star_failed");
      assert.deepEqual([readCode, readStatus], [code, of]);
      assert.equal(message, /^https?:\/\//.test(words) ? words : `${url}: ${words}`);
    }),
  );
});

test("A word that is none of our codes is not taken for one, and the status says what a foreign star means", () => {
  for (const details of [
    "File not found",
    "weird_code: no",
    "constructor: no",
    "toString: x",
    "PATH_MISSING: x",
    "",
  ]) {
    assert.deepEqual(read(status.NOT_FOUND, details), [
      "star_failed",
      status.NOT_FOUND,
      `${url}: NOT_FOUND: ${details}`,
    ]);
  }
});

test("A star is named once, where a destination passes on what its source said, and a status only where no code says it", () => {
  const source = "http://192.0.2.2:50051: file: there is no such file or folder";
  assert.deepEqual(read(status.NOT_FOUND, `path_missing: ${source}`), [
    "path_missing",
    status.NOT_FOUND,
    source,
  ]);
  const wrapped =
    "No connection established. Last error: Error: connect ECONNREFUSED 192.0.2.1:50051. Resolution note: ";
  assert.deepEqual(read(status.UNAVAILABLE, wrapped), [
    "star_unreachable",
    status.UNAVAILABLE,
    `${url}: connect ECONNREFUSED`,
  ]);
});

test("Words that do not fit into a header are cut off", () => {
  const { details } = writeRefusal(new StarError("disk_failed", "x".repeat(50_000)));
  assert.ok(details.startsWith("disk_failed: xxx") && details.length < 1_100);
});

test("Words are not cut off in the middle of a character, which gRPC cannot send", () => {
  for (const before of ["", "x"]) {
    const { details } = writeRefusal(new StarError("path_missing", `${before}${"😀".repeat(5_000)}`));
    assert.ok(details.isWellFormed());
    const { message } = readRefusal(url, { code: status.NOT_FOUND, details }, () => "star_failed");
    assert.ok(message.isWellFormed());
  }
});

test("A status that gRPC does not know is taken for UNKNOWN", () => {
  for (const code of [-5, 17, 4_294_967_295, 1.5, Number.NaN])
    assert.deepEqual(read(code, "x").slice(0, 2), ["star_failed", status.UNKNOWN]);
});

test("Of what a star says no more is kept than a refusal has", () => {
  for (const said of ["disk_failed: ", "", "No connection established. Last error: "]) {
    const [, , message] = read(status.UNKNOWN, `${said}${"x".repeat(4_000_000)}`);
    assert.ok(String(message).length < 2_200);
  }
});
