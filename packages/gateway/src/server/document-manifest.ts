import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { z } from "zod";
import { GatewayError } from "../errors.ts";

/** Documents by their ids. */
export type DocumentManifest = ReadonlyMap<string, string>;

/** The files of a manifest as they were when they were looked at. */
export type ManifestFiles = {
  readonly paths: readonly string[];
  /** Of all files together. */
  readonly bytes: number;
  /** Differs whenever the files are others, or were written again. */
  readonly signature: string;
};

const apolloManifest = z.looseObject({
  format: z.literal("apollo-persisted-query-manifest"),
  operations: z.array(z.looseObject({ id: z.string().min(1), body: z.string() })),
});
/** What the Relay compiler and the client preset of GraphQL Code Generator write. */
const plainManifest = z.record(z.string().min(1), z.string());

/** Files of a folder: each is looked at every second. */
const maxFiles = 10_000;

/**
 * Looks at a manifest, or at a folder of manifests (`*.json`) and documents (`<id>.graphql`), and reads none of it.
 * Throws `documents_invalid` for too many files and for what is no file, or the error of the file system.
 */
export async function findDocuments(path: string): Promise<ManifestFiles> {
  const paths = await pathsAt(path);
  if (paths.length > maxFiles) {
    throw new GatewayError("documents_invalid", `${path} has more than ${maxFiles} files of documents`);
  }
  let bytes = 0;
  let signature = "";
  for (const file of paths) {
    const found = await stat(file);
    // Of a pipe or a device there is no end.
    if (!found.isFile()) throw new GatewayError("documents_invalid", `${file} is no file`);
    bytes += found.size;
    signature += `${file}:${found.mtimeMs}:${found.size}:${found.ino}\n`;
  }
  return { paths, bytes, signature };
}

/** Reads all files. Throws `documents_invalid`, or the error of the file system, with the name of the file. */
export async function readDocuments({ paths }: ManifestFiles): Promise<DocumentManifest> {
  const documents = new Map<string, string>();
  for (const file of paths) {
    const text = await readFile(file, "utf8");
    if (extname(file) === ".json") for (const [id, body] of manifestOf(file, text)) documents.set(id, body);
    else documents.set(plainId(basename(file, extname(file))), text);
  }
  return documents;
}

/** The id without the name of the hash in front, which some clients write. */
export function plainId(id: string): string {
  return id.startsWith("sha256:") ? id.slice("sha256:".length) : id;
}

async function pathsAt(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = await readdir(path);
  return names
    .filter((name) => /\.(?:json|graphql|gql)$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function manifestOf(file: string, text: string): Iterable<readonly [string, string]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GatewayError("documents_invalid", `${file} is no JSON`, { cause: error });
  }
  const apollo = apolloManifest.safeParse(value);
  if (apollo.success) return apollo.data.operations.map(({ id, body }) => [plainId(id), body] as const);
  const plain = plainManifest.safeParse(value);
  if (plain.success) return Object.entries(plain.data).map(([id, body]) => [plainId(id), body] as const);
  throw new GatewayError("documents_invalid", `${file} is no manifest: it must map ids to documents`);
}
