import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import {
  type ReplicateFilesRequest,
  type ReplicateFilesResponse,
  ReplicateFilesResponseSchema,
  type ReplicateRequest,
  type ReplicateResponse,
  ReplicateResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import type { StarEvents } from "../events.ts";
import { checkFiles, refusalOf } from "./calls.ts";
import { defaultIdleMs, Outgoing } from "./outgoing.ts";
import { ProgressWatch, type ReportProgress } from "./progress-watch.ts";

/** A file that was fetched whole. */
export type Replicated = {
  readonly bytes: number;
  /** How many of them were there from an earlier attempt. */
  readonly resumed: number;
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly checksum: string;
};

/** Fetches files from other stars; a signal ends it. */
export type FetchesFiles = {
  replicate(request: ReplicateRequest, signal: AbortSignal): Promise<Replicated>;
  /** The same for many files, by their place among the requests and in that order: their bytes come in one stream of each source. */
  batch(requests: readonly ReplicateRequest[]): Disposable & {
    replicate(file: number, signal: AbortSignal, report?: ReportProgress): Promise<Replicated>;
  };
};

export type ReplicatingParts = {
  readonly replicator: FetchesFiles;
  readonly events: StarEvents;
  /** How long a caller may take nothing of what a call tells, in ms; default 5 minutes. */
  readonly idleMs?: number;
};

/** So many files of one call are written at once. */
const atOnce = 8;

/** The calls that fetch files from other stars. */
export class Replicating {
  readonly #replicator: FetchesFiles;
  readonly #events: StarEvents;
  readonly #idleMs: number;

  constructor({ replicator, events, idleMs = defaultIdleMs }: ReplicatingParts) {
    this.#replicator = replicator;
    this.#events = events;
    this.#idleMs = idleMs;
  }

  /** ReplicateFile. */
  async answer(call: ServerUnaryCall<ReplicateRequest, ReplicateResponse>): Promise<ReplicateResponse> {
    const { signal } = goneWith(call);
    return await this.#told(call.request, () => this.#replicator.replicate(call.request, signal));
  }

  /** ReplicateFiles: one that cannot be replicated leaves the others alone. */
  async answerMany(call: ServerWritableStream<ReplicateFilesRequest, ReplicateFilesResponse>): Promise<void> {
    const gone = goneWith(call);
    const { files } = call.request;
    checkFiles(files);
    using batch = this.#replicator.batch(files);
    const outgoing = Outgoing.ofCall(call, this.#idleMs);
    const left = files.entries();
    let sending: Promise<void> = Promise.resolve();
    const tell = (message: MessageInitShape<typeof ReplicateFilesResponseSchema>) => {
      sending = sending.then(() => outgoing.send(create(ReplicateFilesResponseSchema, message)));
      return sending;
    };
    using watch = new ProgressWatch(call.request.progress ? tell : null);
    const outcomeOf = async (file: number, request: ReplicateRequest) => {
      using report = watch.begin(file);
      return await this.#outcomeOf(request, () => batch.replicate(file, gone.signal, report.note));
    };
    const work = async () => {
      for (const [file, request] of left) await tell({ file, ...(await outcomeOf(file, request)) });
    };
    const works = Array.from({ length: atOnce }, work);
    try {
      await Promise.all(works);
    } finally {
      gone.abort();
      await Promise.allSettled(works);
    }
  }

  async #outcomeOf(
    request: ReplicateRequest,
    run: () => Promise<Replicated>,
  ): Promise<{ answer: ReplicateResponse } | { status: number; details: string }> {
    try {
      return { answer: await this.#told(request, run) };
    } catch (error) {
      const { code, details } = refusalOf("ReplicateFiles", this.#events.failed, error);
      return { status: code, details };
    }
  }

  async #told(request: ReplicateRequest, run: () => Promise<Replicated>): Promise<ReplicateResponse> {
    const { remotePath, localPath, sourceStarUrl } = request;
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1_000;
    this.#events.replicationStarted(remotePath, localPath, sourceStarUrl);
    try {
      const { bytes, resumed, checksum } = await run();
      this.#events.replicationCompleted(localPath, bytes, checksum, seconds());
      return create(ReplicateResponseSchema, {
        ...{ success: true, bytesTransferred: BigInt(bytes), checksum, bytesResumed: BigInt(resumed) },
      });
    } catch (error) {
      this.#events.replicationFailed(localPath, error, seconds());
      throw error;
    }
  }
}

/** Is aborted when nobody waits for the call's answer any more. */
function goneWith(call: { on(event: "cancelled", listener: () => void): unknown }): AbortController {
  const gone = new AbortController();
  call.on("cancelled", () => gone.abort());
  return gone;
}
