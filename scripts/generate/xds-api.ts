// The Envoy API as JavaScript and type declarations, from the pinned descriptors in packages/xds/api.
//
// The descriptor set is made by `go run .` in packages/xds/api/descriptors. That needs Go and is repeated only
// when the pinned version changes; this step needs nothing but npm's packages.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import type { Generated } from "../generate.ts";

const root = join(import.meta.dirname, "..", "..");

export function generateXdsApi(): readonly Generated[] {
  const set = fromBinary(
    FileDescriptorSetSchema,
    readFileSync(join(root, "packages/xds/api/envoy-api.binpb")),
  );
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: set.file.map((file) => file.name).filter((name) => !name.startsWith("google/protobuf/")),
    parameter: "target=js+dts,import_extension=js",
    protoFile: set.file,
  });
  const plugin = spawnSync(
    process.execPath,
    [join(root, "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es")],
    { input: toBinary(CodeGeneratorRequestSchema, request), maxBuffer: 2 ** 28 },
  );
  if (plugin.status !== 0) throw new Error(`protoc-gen-es failed: ${plugin.stderr.toString()}`);
  const response = fromBinary(CodeGeneratorResponseSchema, plugin.stdout);
  if (response.error) throw new Error(`protoc-gen-es failed: ${response.error}`);
  return response.file.map((file) => ({
    path: `packages/xds/generated/${file.name ?? ""}`,
    content: file.content ?? "",
  }));
}
