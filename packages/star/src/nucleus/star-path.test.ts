import assert from "node:assert/strict";
import { test } from "node:test";
import { readStarPath } from "./star-path.ts";

test("A star is named or said where it listens, and all behind that is the path", () => {
  const cases = [
    ["backup:/data/file", "backup", "/data/file"],
    ["backup:file:with:colons", "backup", "file:with:colons"],
    ["127.0.0.1:50051:/data/file", "127.0.0.1:50051", "/data/file"],
    ["http://star1:50051:/data/file", "http://star1:50051", "/data/file"],
    ["https://star1.example:443:data", "https://star1.example:443", "data"],
    ["[::1]:50051:/x", "[::1]:50051", "/x"],
    ["backup:12:34", "backup:12", "34"],
  ] as const;
  for (const [text, star, path] of cases) assert.deepEqual(readStarPath(text), { star, path }, text);
});

test("What is neither is refused with an example", () => {
  for (const text of ["", "file", "/data/file", "backup:", ":/file", "http://star1:/file"]) {
    assert.throws(() => readStarPath(text), { code: "request_invalid" }, text);
  }
});
