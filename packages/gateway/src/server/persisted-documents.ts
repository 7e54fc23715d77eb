import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { GraphQLError } from "graphql";
import { GatewayError } from "../errors.ts";
import type { GatewayEvents } from "../events.ts";
import { LruCache } from "../lru-cache.ts";
import { type DocumentManifest, findDocuments, plainId, readDocuments } from "./document-manifest.ts";
import type { GraphQLParams } from "./graphql-params.ts";
import { refusalError } from "./refusal.ts";

export type PersistedDocumentOptions = {
  /** A manifest, or a folder of manifests and documents. */
  readonly path?: string | undefined;
  /** Of all files together. */
  readonly maxBytes: number;
  /** Whether nothing else is executed. */
  readonly required: boolean;
  /** Whether clients may register documents by their hash. */
  readonly automatic: boolean;
  readonly automaticMaxBytes: number;
};

/** Time between two looks at the files; with thousands of them it is so many times what a look takes. */
const lookEveryMs = 1_000;
const pausePerLook = 20;

/**
 * Finds the document that a request asks for: by the id of a persisted one, by the hash of one that a client
 * registered, or the one that it brings. Files that change are read again as a whole; while they cannot be read,
 * those read last stay in force, and why is told once.
 */
export class PersistedDocuments implements Disposable {
  readonly #options: PersistedDocumentOptions;
  readonly #events: Pick<GatewayEvents, "persistedDocuments">;
  /** Documents that clients registered, by their hashes. */
  readonly #registered: LruCache<string, string>;
  readonly #closed = new AbortController();
  /** Resolves when the files were read, or could not be. */
  readonly ready: Promise<void>;
  #documents: DocumentManifest = new Map();
  #signature = "";
  #failure: string | null = null;

  constructor(options: PersistedDocumentOptions, events: Pick<GatewayEvents, "persistedDocuments">) {
    this.#options = options;
    this.#events = events;
    this.#registered = new LruCache({ maxBytes: options.automaticMaxBytes });
    const { path } = options;
    this.ready = path === undefined ? Promise.resolve() : this.#look(path);
    if (path !== undefined) void this.#watch(path);
  }

  /** Why the files cannot be read as they are; null when they can. */
  get failure(): string | null {
    return this.#failure;
  }

  /** The text of the document that is asked for, or why there is none. */
  find({ query, documentId, extensions }: GraphQLParams): string | GraphQLError {
    const hash = hashIn(extensions);
    if (hash !== null && typeof hash !== "string") return hash;
    const id = documentId ?? hash;
    const persisted = id === null ? undefined : this.#documents.get(plainId(id));
    if (persisted !== undefined) return persisted;
    if (documentId !== null || (this.#options.required && hash !== null)) {
      return refusalError(
        "PERSISTED_DOCUMENT_NOT_FOUND",
        `There is no persisted document "${id?.slice(0, 100)}".`,
      );
    }
    if (this.#options.required) {
      return refusalError(
        "PERSISTED_DOCUMENT_REQUIRED",
        "Only persisted documents are executed: ask by documentId.",
      );
    }
    if (hash !== null && (this.#options.automatic || query === null)) return this.#automatic(hash, query);
    return query ?? refusalError("BAD_REQUEST", 'The request has neither "query" nor "documentId".');
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
  }

  /** The protocol of automatic persisted queries; its clients look for these two messages. */
  #automatic(hash: string, query: string | null): string | GraphQLError {
    if (!this.#options.automatic) {
      return refusalError("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported");
    }
    if (query === null) {
      return (
        this.#registered.get(hash) ?? refusalError("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
      );
    }
    if (createHash("sha256").update(query).digest("hex") !== hash) {
      return refusalError("PERSISTED_QUERY_MISMATCH", "The hash is not the SHA-256 of the document.");
    }
    this.#registered.set(hash, query, bytesPerDocument + 2 * query.length);
    return query;
  }

  /** By looking: what a file system tells of changes by itself is not the same everywhere. */
  async #watch(path: string): Promise<void> {
    await this.ready;
    const { signal } = this.#closed;
    let tookMs = 0;
    while (!signal.aborted) {
      const pauseMs = Math.max(lookEveryMs, pausePerLook * tookMs);
      await sleep(pauseMs, undefined, { ref: false, signal }).catch(() => undefined);
      if (signal.aborted) return;
      const started = performance.now();
      await this.#look(path);
      tookMs = performance.now() - started;
    }
  }

  async #look(path: string): Promise<void> {
    let failure: string | null = null;
    const known = this.#signature;
    this.#signature = "";
    try {
      const files = await findDocuments(path);
      this.#signature = files.signature;
      if (files.signature === known) return;
      const { maxBytes } = this.#options;
      if (files.bytes > maxBytes) {
        throw new GatewayError(
          "documents_invalid",
          `${path} takes more than ${maxBytes} bytes: raise "persistedDocuments.maxBytes"`,
        );
      }
      this.#documents = await readDocuments(files);
    } catch (error) {
      // A wrong file stays wrong until it changes; what the file system failed at may go well the next time.
      if (!(error instanceof GatewayError)) this.#signature = "";
      failure = error instanceof Error ? error.message : String(error);
      if (failure === this.#failure) return;
    }
    this.#failure = failure;
    this.#events.persistedDocuments(this.#documents.size, failure);
  }
}

function hashIn(extensions: GraphQLParams["extensions"]): string | null | GraphQLError {
  const persisted = extensions?.["persistedQuery"];
  if (persisted === undefined || persisted === null) return null;
  const hash = typeof persisted === "object" && "sha256Hash" in persisted ? persisted.sha256Hash : null;
  if (typeof hash === "string" && /^[0-9a-f]{64}$/i.test(hash)) return hash.toLowerCase();
  return refusalError(
    "BAD_REQUEST",
    '"extensions.persistedQuery.sha256Hash" must be a SHA-256 in hexadecimal.',
  );
}

/** What a document takes besides its text. */
const bytesPerDocument = 256;
