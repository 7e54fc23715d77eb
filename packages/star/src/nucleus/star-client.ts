import { create } from "@bufbuild/protobuf";
import { Client, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import {
  type FileEntry,
  HandshakeRequestSchema,
  HashRequestSchema,
  type Progress,
  ReadHeaderRequestSchema,
  ReplicateFilesRequestSchema,
  type ReplicateRequest,
  type ReplicateResponse,
  ScanRequestSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { TlsIdentity } from "../connection/credentials.ts";
import { diagnose } from "../connection/diagnosis.ts";
import { parseStarUrl } from "../connection/star-url.ts";
import { StarError, type StarErrorCode } from "../errors.ts";
import { readRefusal } from "../refusal.ts";
import { sessionKey, starService } from "../service.ts";
import type { FileProgress } from "./replication.ts";

/** A star that the Nucleus commands. */
export type StarAddress = {
  /** `http://host:port`, `https://host:port`, or `host:port`, which is plain text. */
  readonly url: string;
  /** What the star wants to be shown. */
  readonly token: string;
  /** Certificates of its authorities, PEM, in place of those of the Nucleus. */
  readonly authoritiesFile?: string | undefined;
};

/** How long a star may take to answer what needs no file, in ms. */
const promptMs = 30_000;
/** A star that ends sessions faster than a stream comes to its end is given up. */
const mostSessions = 3;
/** The largest header that is asked for, and what gRPC puts around it. */
const longestAnswer = 128 * 1024 * 1024;

type Session = { readonly id: string; readonly capabilities: readonly string[] };

/** Commands one star: opens a session when it is first needed, and another one when that has ended. */
export class StarClient implements Disposable {
  readonly url: string;
  readonly #token: string;
  readonly #identity: TlsIdentity;
  readonly #client: Client;
  #session: Promise<Session> | null = null;

  /** `identity`: how it is met where it is `https`. Throws StarError `request_invalid`. */
  constructor({ url, token }: StarAddress, identity = new TlsIdentity()) {
    const star = parseStarUrl(url);
    this.url = url;
    this.#token = token;
    this.#identity = identity;
    this.#client = new Client(star.target, identity.credentialsFor(star), {
      "grpc.max_receive_message_length": longestAnswer,
    });
  }

  /**
   * What is in a folder, each name once. Where the session ends meanwhile the listing begins anew, and leaves out what it told
   * already; the names of one folder are kept for that. Throws StarError.
   */
  async *scan(path: string, signal?: AbortSignal): AsyncGenerator<FileEntry, void> {
    const told = new Set<string>();
    const request = create(ScanRequestSchema, { path });
    for await (const entry of this.#stream(starService.ScanDirectory, request, signal)) {
      if (told.has(entry.name)) continue;
      told.add(entry.name);
      yield entry;
    }
  }

  /** The first bytes of a file, all of it where `length` is its size. Throws StarError. */
  async header(path: string, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const request = create(ReadHeaderRequestSchema, { path, length });
    return (await this.#known(starService.ReadHeader, request, signal)).data;
  }

  /** The BLAKE3 digest of a whole file, 32 bytes. Throws StarError. */
  async digest(path: string, signal?: AbortSignal): Promise<Uint8Array> {
    return (await this.#known(starService.CalculateHash, create(HashRequestSchema, { path }), signal)).hash;
  }

  /**
   * Has the star fetch a file. `onProgress` hears how far it is, by the call that tells of that, where the star has it. Throws StarError,
   * with the status that the star answers.
   */
  async replicate(
    request: ReplicateRequest,
    signal?: AbortSignal,
    onProgress?: (progress: FileProgress) => void,
  ): Promise<ReplicateResponse> {
    const isTold = onProgress !== undefined && (await this.capabilities()).includes("progress");
    if (!isTold) {
      const answer = await this.#known(starService.ReplicateFile, request, signal);
      if (answer.success) return answer;
      throw this.#unsuccessful(answer);
    }
    const note = (_: number, { bytes, totalSize }: Progress) =>
      onProgress({ bytes: Number(bytes), totalBytes: totalSize === 0n ? null : Number(totalSize) });
    for await (const { outcome } of this.replicateAll([request], signal, note)) {
      if (outcome instanceof StarError) throw outcome;
      return outcome;
    }
    throw new StarError("star_failed", `${this.url}: the star does not say what came of the file`);
  }

  /**
   * Has the star fetch many files by one call, where it has the capability `batches`; yields what came of each, by its place among the
   * requests, in the order in which they end; the star says which place, and may say any, and one twice. `onProgress` hears of files on
   * their way where it has the capability `progress`. Throws StarError where the call itself fails: of what was not yielded nothing is known.
   */
  async *replicateAll(
    files: readonly ReplicateRequest[],
    signal?: AbortSignal,
    onProgress?: (file: number, progress: Progress) => void,
  ): AsyncGenerator<{ readonly file: number; readonly outcome: ReplicateResponse | StarError }, void> {
    const request = create(ReplicateFilesRequestSchema, {
      files: [...files],
      progress: onProgress !== undefined,
    });
    for await (const told of this.#stream(starService.ReplicateFiles, request, signal)) {
      const { file, answer, status: code, details, progress } = told;
      if (progress !== undefined) onProgress?.(file, progress);
      else if (answer === undefined)
        yield { file, outcome: this.#error("ReplicateFiles", { code, details }) };
      else yield { file, outcome: answer.success ? answer : this.#unsuccessful(answer) };
    }
  }

  /** What the star can do beyond the first of its kind, as it said when the session began. Throws StarError. */
  async capabilities(): Promise<readonly string[]> {
    return (await this.#open()).capabilities;
  }

  /** Begins a session; what the star can do beyond the first of its kind. Throws StarError `star_unreachable` and `star_refused`. */
  async greet(): Promise<readonly string[]> {
    this.#session = null;
    return (await this.#open()).capabilities;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  /** A stream that begins anew where its session ends: what it told before may come again. */
  async *#stream<In, Out>(
    method: MethodDefinition<In, Out>,
    request: In,
    signal?: AbortSignal,
  ): AsyncGenerator<Out, void> {
    for (let sessions = 1; ; sessions++) {
      try {
        return yield* this.#streamOnce(method, request, signal);
      } catch (error) {
        if (!isSessionOver(error) || sessions === mostSessions) throw error;
        this.#session = null;
      }
    }
  }

  async *#streamOnce<In, Out>(
    method: MethodDefinition<In, Out>,
    request: In,
    signal?: AbortSignal,
  ): AsyncGenerator<Out, void> {
    const { path, requestSerialize, responseDeserialize } = method;
    const metadata = await this.#metadata();
    const call = this.#client.makeServerStreamRequest(
      ...([path, requestSerialize, responseDeserialize, request, metadata] as const),
    );
    const cancel = () => call.cancel();
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      yield* call;
    } catch (error) {
      throw this.#error(nameOf(path), error);
    } finally {
      signal?.removeEventListener("abort", cancel);
      call.on("error", () => undefined); // Of what is cancelled here.
      call.cancel();
    }
  }

  async #known<In, Out>(method: MethodDefinition<In, Out>, request: In, signal?: AbortSignal): Promise<Out> {
    try {
      return await this.#ask(method, request, await this.#metadata(), signal);
    } catch (error) {
      if (!isSessionOver(error)) throw error;
      this.#session = null; // The star was started anew, or the session rested for long.
      return await this.#ask(method, request, await this.#metadata(), signal);
    }
  }

  async #metadata(): Promise<Metadata> {
    const metadata = new Metadata();
    metadata.set(sessionKey, (await this.#open()).id);
    return metadata;
  }

  #open(): Promise<Session> {
    this.#session ??= this.#handshake().catch((error: unknown) => {
      this.#session = null;
      throw error;
    });
    return this.#session;
  }

  async #handshake(): Promise<Session> {
    try {
      return await this.#greeted();
    } catch (error) {
      const isUnreached = error instanceof StarError && error.code === "star_unreachable";
      throw (isUnreached ? await diagnose(this.url, this.#identity) : null) ?? error;
    }
  }

  async #greeted(): Promise<Session> {
    const request = create(HandshakeRequestSchema, {
      starToken: this.#token,
      version: "1",
      capabilities: [],
    });
    const signal = AbortSignal.timeout(promptMs);
    const answer = await this.#ask(starService.Handshake, request, new Metadata(), signal);
    if (!answer.accepted)
      throw new StarError("star_refused", `${this.url} does not take the token that it was shown`);
    return { id: answer.sessionId, capabilities: answer.capabilities };
  }

  #ask<In, Out>(
    method: MethodDefinition<In, Out>,
    request: In,
    metadata: Metadata,
    signal: AbortSignal | undefined,
  ): Promise<Out> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        (error, answer) => {
          signal?.removeEventListener("abort", cancel);
          if (error === null && answer !== undefined) resolve(answer);
          else reject(this.#error(nameOf(path), error));
        },
      );
      const cancel = () => call.cancel();
      if (signal?.aborted) cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** What a star says in its answer, and not by a status, is a failure too. */
  #unsuccessful({ errorMessage }: ReplicateResponse): StarError {
    return new StarError("star_failed", `${this.url}: ${errorMessage || "the star says no more"}`);
  }

  #error(call: string, error: unknown): StarError {
    if (error instanceof StarError) return error;
    const { code = status.UNKNOWN, details = String(error) } = (error ?? {}) as Partial<ServiceError>;
    const isUnknown = code === status.UNIMPLEMENTED && (details === "" || details.includes(call));
    const words = isUnknown ? `the star knows no ${call}` : details;
    return readRefusal(this.url, { code, details: words }, (of) => codes[of] ?? "star_failed");
  }
}

/** Of a call, by its path. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** What a status means of a star that names none of our codes, or of the connection with it. */
const codes: Partial<Record<status, StarErrorCode>> = {
  [status.UNAVAILABLE]: "star_unreachable",
  [status.UNIMPLEMENTED]: "star_outdated",
  [status.UNAUTHENTICATED]: "session_missing",
  [status.CANCELLED]: "cancelled",
};

function isSessionOver(error: unknown): boolean {
  return error instanceof StarError && error.code === "session_missing";
}
