// The messages of StarService as JavaScript and type declarations, from spec/proto/orbit/v1/orbit.proto.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";
import type { Generated } from "../generate.ts";
import { describeProtoFile } from "./proto-file.ts";

const root = join(import.meta.dirname, "..", "..");
const name = "orbit/v1/orbit.proto";

export function generateStarApi(): readonly Generated[] {
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: [name],
    parameter: "target=js+dts,import_extension=js",
    protoFile: [describeProtoFile(name, readFileSync(join(root, "spec/proto", name), "utf8"))],
  });
  const plugin = spawnSync(
    process.execPath,
    [join(root, "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es")],
    { input: toBinary(CodeGeneratorRequestSchema, request) },
  );
  if (plugin.status !== 0) throw new Error(`protoc-gen-es failed: ${plugin.stderr.toString()}`);
  const response = fromBinary(CodeGeneratorResponseSchema, plugin.stdout);
  if (response.error) throw new Error(`protoc-gen-es failed: ${response.error}`);
  return response.file.map((file) => ({
    path: `packages/star/generated/${file.name ?? ""}`,
    content: file.content ?? "",
  }));
}
