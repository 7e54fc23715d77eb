// The messages and calls of the first stars in Go, from interop/go-star/orbitv1/orbit.proto. Where Go or the modules of its
// plugins are missing, nothing new is claimed: the files are taken as they stand.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";
import type { Generated } from "../generate.ts";
import { describeProtoFile } from "./proto-file.ts";

const folder = "interop/go-star";
const module = join(import.meta.dirname, "..", "..", folder);
const name = "orbitv1/orbit.proto";
const plugins: Readonly<Record<string, string>> = {
  "protoc-gen-go": "orbitv1/orbit.pb.go",
  "protoc-gen-go-grpc": "orbitv1/orbit_grpc.pb.go",
};

export function generateGoStar({ check }: { readonly check: boolean }): readonly Generated[] {
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: [name],
    parameter: `paths=source_relative,M${name}=catalyst.internal/star/orbitv1`,
    protoFile: [describeProtoFile(name, readFileSync(join(module, name), "utf8"))],
  });
  const input = toBinary(CodeGeneratorRequestSchema, request);
  return Object.entries(plugins).map(([plugin, file]) => ({
    path: `${folder}/${file}`,
    content: generated(plugin, input, check) ?? readFileSync(join(module, file), "utf8"),
  }));
}

function generated(plugin: string, input: Uint8Array, check: boolean): string | null {
  const env = check ? { ...process.env, GOPROXY: "off" } : process.env;
  const made = spawnSync("go", ["tool", plugin], { cwd: module, env, input });
  if (made.error !== undefined || made.status !== 0) return null;
  const { error, file } = fromBinary(CodeGeneratorResponseSchema, made.stdout);
  if (error || file[0]?.content === undefined) throw new Error(`${plugin} failed: ${error}`);
  return file[0].content;
}
