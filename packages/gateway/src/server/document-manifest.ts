import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { z } from "zod";
import { GatewayError } from "../errors.ts";

/** Documents by their ids. */
export type DocumentManifest = ReadonlyMap<string, string>;

const apolloManifest = z.looseObject({
  format: z.literal("apollo-persisted-query-manifest"),
  operations: z.array(z.looseObject({ id: z.string().min(1), body: z.string() })),
});
/** What the Relay compiler and the client preset of GraphQL Code Generator write. */
const plainManifest = z.record(z.string().min(1), z.string());

/**
 * Reads a manifest, or a folder of manifests (`*.json`) and documents (`<id>.graphql`). Throws `documents_invalid`,
 * or the error of the file system, with the name of the file that cannot be read.
 */
export function readDocuments(path: string): DocumentManifest {
  const documents = new Map<string, string>();
  for (const file of filesOf(path)) {
    const text = readFileSync(file, "utf8");
    if (extname(file) === ".json") for (const [id, body] of manifestOf(file, text)) documents.set(id, body);
    else documents.set(plainId(basename(file, extname(file))), text);
  }
  return documents;
}

/** Differs whenever the files are others, or were written again. */
export function signatureOf(path: string): string {
  try {
    return filesOf(path)
      .map((file) => {
        const { mtimeMs, size, ino } = statSync(file);
        return `${file}:${mtimeMs}:${size}:${ino}`;
      })
      .join("\n");
  } catch (error) {
    return String(error);
  }
}

/** The id without the name of the hash in front, which some clients write. */
export function plainId(id: string): string {
  return id.startsWith("sha256:") ? id.slice("sha256:".length) : id;
}

function filesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
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
