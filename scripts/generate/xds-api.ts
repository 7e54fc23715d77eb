// The Envoy API as JavaScript and type declarations, from the pinned descriptors in packages/xds/api.
//
// The descriptors are made by a Go program whose go.mod pins their version. Where Go and its modules are, they are
// made again and compared; elsewhere the digests in descriptors.json say whether they were made by that program.
import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import type { Generated } from "../generate.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "packages/xds/api");
const program = join(folder, "descriptors");
const descriptors = join(folder, "envoy-api.binpb");

export function generateXdsApi({ check }: { readonly check: boolean }): readonly Generated[] {
  const record = describe(makeDescriptors(check));
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(descriptors));
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
  const files = response.file.map((file) => ({
    path: `packages/xds/generated/${file.name ?? ""}`,
    content: file.content ?? "",
  }));
  return [{ path: "packages/xds/api/descriptors.json", content: record }, ...files];
}

/** Runs the Go program and puts its output in place; a check needs no network. False where it cannot be run. */
function makeDescriptors(check: boolean): boolean {
  const env = check ? { ...process.env, GOPROXY: "off" } : process.env;
  const made = spawnSync("go", ["run", "."], { cwd: program, env, maxBuffer: 2 ** 26 });
  if (made.error !== undefined || made.status !== 0) return false;
  if (made.stdout.equals(readFileSync(descriptors))) return true;
  if (check) throw new Error(`${descriptors} is not what its Go program makes: run \`npm run generate\``);
  writeFileSync(descriptors, made.stdout);
  return true;
}

/** Which program made which descriptors. Without Go nothing new is claimed: the program is taken as recorded. */
function describe(made: boolean): string {
  const sources = ["go.mod", "go.sum", "main.go"].map((name) => readFileSync(join(program, name), "utf8"));
  const now = {
    program: hash("sha256", sources.join("\0")),
    descriptors: hash("sha256", readFileSync(descriptors)),
  };
  const path = join(folder, "descriptors.json");
  const kept = made ? now : (JSON.parse(readFileSync(path, "utf8")) as typeof now);
  if (kept.program !== now.program || kept.descriptors !== now.descriptors) {
    throw new Error(
      `${program} and ${descriptors} do not belong together: run \`npm run generate\` where Go is`,
    );
  }
  return `${JSON.stringify(now, null, 2)}\n`;
}
