import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { z } from "zod";
import { contentNamespace, objectName, objectReference, pinClass } from "./content.ts";
import { faultsOf } from "./contract.ts";
import { RpcError, type RpcErrorCode } from "./errors.ts";

/** Where bytes are put and got on the content process's socket, as plain HTTP: `PUT` and `GET /objects`. */
export const objectsPath = "/objects";

const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** The query of a `PUT`. */
export const putQuery = z.strictObject({
  namespace: contentNamespace,
  leafSize: z.enum(["16384", "65536", "262144"]).optional(),
  /** The CID that the bytes must have; others are not kept. */
  expected: z.string().max(200).optional(),
  /** A name that the object is given. */
  name: objectName.optional(),
  pin: pinClass.optional(),
  /** Deduplicate: cut by content, store each piece once, and a manifest of them. */
  chunked: flag.default(false),
});
export type PutQuery = z.input<typeof putQuery>;

/** The answer to a `PUT`. */
export const putAnswer = z.object({
  cid: z.string(),
  sizeBytes: z.int().min(0),
  sha256: z.string(),
  /** Bytes that were not there before. */
  addedBytes: z.int().min(0),
  /** The pieces that it was cut into; null for one that was not cut. */
  chunks: z.int().min(0).nullable(),
  receipt: z.string(),
});
export type PutAnswer = z.infer<typeof putAnswer>;

/** The query of a `GET`. A `Range` of bytes (RFC 9110 §14) may be asked for. */
export const getQuery = z.strictObject({
  object: objectReference,
  namespace: contentNamespace,
  /** Give a manifest as it is, and not what it stands for. */
  manifest: flag.default(false),
});

/** The answer to whatever could not be done. */
export const bytesFailure = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export type PutBytes = PutQuery & {
  readonly socketPath: string;
  readonly bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly signal?: AbortSignal;
};

/**
 * Sends bytes to be stored. Resolves when they survive a power cut. Throws {@link RpcError} with the code that the
 * process gave, `unreachable`, or `disconnected`; and whatever reading the bytes throws.
 */
export async function putBytes({ socketPath, bytes, signal, ...query }: PutBytes): Promise<PutAnswer> {
  const path = `${objectsPath}?${queryOf(query)}`;
  const asked = request({ socketPath, path, method: "PUT", agent: false, ...(signal ? { signal } : {}) });
  const answered = answerOf(asked, socketPath);
  try {
    await send(bytes, asked, answered);
    const response = await answered;
    const body = await readAll(response);
    if (response.statusCode !== 200) throw refusal(body);
    return parsed(putAnswer, body);
  } finally {
    asked.destroy();
  }
}

/** Sends until all is sent, or there is an answer: who refuses need not take the rest. */
async function send(
  bytes: PutBytes["bytes"],
  asked: ClientRequest,
  answered: Promise<IncomingMessage>,
): Promise<void> {
  let isAnswered = false;
  const settled = answered.then(
    () => {
      isAnswered = true;
    },
    () => {
      isAnswered = true;
    },
  );
  for await (const piece of bytes) {
    if (isAnswered) return;
    if (asked.write(piece)) continue;
    const drained = new Promise((resolve) => asked.once("drain", resolve));
    await Promise.race([drained, settled]);
  }
  asked.end();
}

export type GetBytes = z.input<typeof getQuery> & {
  readonly socketPath: string;
  /** From `start` up to, but without `end`. Default: all. */
  readonly range?: { readonly start: number; readonly end?: number };
  readonly signal?: AbortSignal;
};

/** Bytes on their way. */
export type GotBytes = {
  readonly cid: string;
  /** Of what comes. */
  readonly lengthBytes: number;
  /** Of the whole object. */
  readonly sizeBytes: number;
  /** Throws {@link RpcError} `disconnected` when it ends early: an object that is damaged is not given to its end. */
  readonly bytes: AsyncIterable<Uint8Array>;
};

/** Asks for bytes. Throws as {@link putBytes} does. */
export async function getBytes({ socketPath, range, signal, ...query }: GetBytes): Promise<GotBytes> {
  const path = `${objectsPath}?${queryOf(query)}`;
  const headers = range === undefined ? {} : { range: `bytes=${range.start}-${lastOf(range.end)}` };
  const asked = request({ socketPath, path, headers, agent: false, ...(signal ? { signal } : {}) });
  asked.end();
  const response = await answerOf(asked, socketPath);
  const { statusCode, headers: answered } = response;
  if (statusCode !== 200 && statusCode !== 206) throw refusal(await readAll(response));
  const lengthBytes = Number(answered["content-length"]);
  const sizeBytes = Number(/\/(\d+)$/.exec(answered["content-range"] ?? "")?.[1] ?? lengthBytes);
  const cid = (answered.etag ?? "").replaceAll('"', "");
  return { cid, lengthBytes, sizeBytes, bytes: bodyOf(response) };
}

function lastOf(end: number | undefined): string {
  return end === undefined ? "" : String(end - 1);
}

async function* bodyOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new RpcError("disconnected", "the bytes ended early: ask for the object's status", { cause });
  }
}

function queryOf(query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

function answerOf(asked: ClientRequest, socketPath: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.once("response", resolve);
    asked.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.name === "AbortError") return reject(cause);
      const code = cause.code === "ECONNREFUSED" || cause.code === "ENOENT" ? "unreachable" : "disconnected";
      reject(new RpcError(code, `${socketPath}: ${cause.message}`, { cause }));
    });
  });
}

async function readAll(response: IncomingMessage): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bodyOf(response)) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString("utf8"));
  } catch (cause) {
    throw new RpcError("invalid_response", "the answer is no JSON", { cause });
  }
}

function refusal(body: unknown): RpcError {
  const { error } = parsed(bytesFailure, body);
  return new RpcError(error.code as RpcErrorCode, error.message);
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new RpcError("invalid_response", `the answer does not fit: ${faultsOf(result.error)}`);
}
