import { create } from "@bufbuild/protobuf";
import { type Metadata, Server } from "@grpc/grpc-js";
import {
  HandshakeResponseSchema,
  HashResponseSchema,
  ReadHeaderResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import type { Answering } from "../connection/listen.ts";
import { sessionKey, starService } from "../service.ts";
import type { Sessions } from "../sessions.ts";
import { addressOf, streaming, unary } from "./calls.ts";
import { digestOf, headerOf } from "./digest.ts";
import { entriesOf } from "./folder.ts";
import { filesByHttp } from "./http-files.ts";
import { defaultIdleMs, Outgoing } from "./outgoing.ts";
import { Reading, type ReadingParts } from "./reading.ts";
import { addReflection } from "./reflection.ts";
import { Replicating, type ReplicatingParts } from "./replicating.ts";

/** What this star can do beyond the first of its kind, as Handshake says it. */
export const capabilities: readonly string[] = ["ranges", "resume", "sources", "batches", "progress", "http"];

export type StarParts = ReadingParts &
  ReplicatingParts & {
    readonly sessions: Sessions;
    /** What Handshake calls this program. */
    readonly version: string;
  };

/** Requests are paths and tokens, of some files at once where they are short. */
const longestRequest = 256 * 1024;

/** StarService over the folders of a jail, and its files by HTTP. Throws nothing; calls end with the gRPC statuses of `StarError`. */
export function createStarServer(parts: StarParts): Required<Answering> {
  const { jail, sessions, events, version, idleMs = defaultIdleMs } = parts;
  const server = new Server({
    "grpc.max_receive_message_length": longestRequest,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    // Node ends streams beyond 10 MB of a connection otherwise; what is under way is bounded by the streams themselves.
    "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER,
  });
  /** Answers callers that have a session. */
  const known =
    <Call extends { readonly metadata: Metadata }, Out>(answer: (call: Call) => Out) =>
    (call: Call): Out => {
      sessions.use(sessionOf(call.metadata));
      return answer(call);
    };
  const reading = new Reading(parts);
  const replicating = new Replicating(parts);
  server.addService(starService, {
    Handshake: unary("Handshake", events.failed, (call) => {
      const address = addressOf(call);
      const id = sessions.begin(call.request.starToken, address);
      events.handshake(id !== null, address);
      if (id === null) return create(HandshakeResponseSchema, { accepted: false });
      const told = {
        accepted: true,
        sessionId: id,
        nucleusVersion: version,
        capabilities: [...capabilities],
      };
      return create(HandshakeResponseSchema, told);
    }),
    ScanDirectory: streaming(
      "ScanDirectory",
      events.failed,
      known(async (call) => {
        const outgoing = Outgoing.ofCall(call, idleMs);
        for await (const entry of entriesOf(jail, call.request.path)) await outgoing.send(entry);
      }),
    ),
    ReadHeader: unary(
      "ReadHeader",
      events.failed,
      known(async ({ request: { path, length } }) => {
        using file = jail.openFile(path);
        return create(ReadHeaderResponseSchema, { data: await headerOf(file, length) });
      }),
    ),
    CalculateHash: unary(
      "CalculateHash",
      events.failed,
      known(async (call) => {
        const { path, offset, length } = call.request;
        using file = jail.openFile(path);
        return create(HashResponseSchema, {
          hash: await digestOf(file, offset, length, () => !call.cancelled),
        });
      }),
    ),
    ReplicateFile: unary(
      "ReplicateFile",
      events.failed,
      known((call) => replicating.answer(call)),
    ),
    ReadStream: streaming("ReadStream", events.failed, (call) => reading.answer(call)),
    ReplicateFiles: streaming(
      "ReplicateFiles",
      events.failed,
      known((call) => replicating.answerMany(call)),
    ),
    ReadFiles: streaming("ReadFiles", events.failed, (call) => reading.answerMany(call)),
  });
  addReflection(server);
  return { grpc: server, http: filesByHttp(reading, { idleMs, onFailure: events.failed }) };
}

function sessionOf(metadata: Metadata): string | undefined {
  const [id] = metadata.get(sessionKey);
  return typeof id === "string" ? id : undefined;
}
