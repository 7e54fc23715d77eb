import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ReadStreamResponseSchema } from "../generated/orbit/v1/orbit_pb.js";
import { starService } from "./service.ts";

test("A message of ReadStream has the bytes that the generated code writes, whatever its length", () => {
  const { responseSerialize } = starService.ReadStream;
  const lengths = [0, 1, 127, 128, 16_383, 16_384, 65_536, 2_097_151, 2_097_152, 100];
  const firsts = [{}, { offset: 0n, totalSize: 9n }, { validator: randomBytes(16) }, { offset: 7n }];
  for (const length of lengths) {
    for (const first of firsts) {
      const message = create(ReadStreamResponseSchema, { chunk: randomBytes(length), ...first });
      assert.deepEqual(
        Buffer.from(responseSerialize(message)),
        Buffer.from(toBinary(ReadStreamResponseSchema, message)),
      );
    }
  }
});
