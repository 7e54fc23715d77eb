import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ChannelCredentials,
  Client,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { ReadStreamRequestSchema, type ReadStreamResponse } from "../generated/orbit/v1/orbit_pb.js";
import { listen } from "./connection/listen.ts";
import type { StarEvents } from "./events.ts";
import { Jail } from "./jail/jail.ts";
import { Replicator } from "./replicate/replicator.ts";
import type { SourceProvider } from "./replicate/source.ts";
import { StarSources } from "./replicate/star-sources.ts";
import { createStarServer, type StarParts } from "./server/star.ts";
import { sessionKey, starService } from "./service.ts";
import { Sessions } from "./sessions.ts";

export const authSecret = "a secret that stars share";

/** Notes what a star tells, by the names of its events. */
export function notingEvents(): StarEvents & { readonly told: string[] } {
  const told: string[] = [];
  const note =
    (name: string) =>
    (...what: unknown[]) =>
      void told.push([name, ...what].join(" "));
  return {
    told,
    readRequested: note("readRequested"),
    readAuthorised: note("readAuthorised"),
    readCompleted: note("readCompleted"),
    readTurned: note("readTurned"),
    readFailed: note("readFailed"),
    tokenRefused: note("tokenRefused"),
    handshake: note("handshake"),
    replicationStarted: note("replicationStarted"),
    replicationCompleted: note("replicationCompleted"),
    replicationFailed: note("replicationFailed"),
    failed: note("failed"),
  };
}

function fetchesNothing(): never {
  throw new Error("this star fetches nothing");
}

/** A star on loopback over a folder of its own, in this process. */
export async function startTestStar(parts: Partial<StarParts> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-"));
  const events = notingEvents();
  const server = createStarServer({
    jail: Jail.open([folder]),
    sessions: new Sessions({ token: "star" }),
    authSecret,
    replicator: { replicate: fetchesNothing, batch: fetchesNothing },
    events,
    version: "test",
    ...parts,
  });
  const { port, stop } = await listen(server, "127.0.0.1", 0);
  return {
    folder,
    events,
    url: `http://127.0.0.1:${port}`,
    client: new TestClient(`127.0.0.1:${port}`),
    [Symbol.asyncDispose]: async () => {
      await stop(0);
      rmSync(folder, { recursive: true });
    },
  };
}

type UnaryName = "Handshake" | "ReadHeader" | "CalculateHash" | "ReplicateFile";
type Request<Name extends keyof typeof starService> = Parameters<
  (typeof starService)[Name]["requestSerialize"]
>[0];
type Response<Name extends keyof typeof starService> = ReturnType<
  (typeof starService)[Name]["responseDeserialize"]
>;

/** Calls of StarService as a caller makes them; a refusal rejects with gRPC's error. */
export class TestClient implements Disposable {
  readonly #client: Client;
  readonly metadata = new Metadata();

  constructor(address: string) {
    this.#client = new Client(address, ChannelCredentials.createInsecure());
  }

  call<Name extends UnaryName>(name: Name, request: Request<Name>): Promise<Response<Name>> {
    const method = starService[name];
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize as (value: Request<Name>) => Buffer,
        method.responseDeserialize as (bytes: Buffer) => Response<Name>,
        request,
        this.metadata,
        (error, value) => (error === null ? resolve(value as Response<Name>) : reject(error)),
      );
    });
  }

  stream<Name extends "ScanDirectory" | "ReadStream" | "ReplicateFiles" | "ReadFiles">(
    name: Name,
    request: Request<Name>,
  ): ClientReadableStream<Response<Name>> {
    const method = starService[name];
    return this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize as (value: Request<Name>) => Buffer,
      method.responseDeserialize as (bytes: Buffer) => Response<Name>,
      request,
      this.metadata,
    );
  }

  /** All messages of ReadStream. */
  read(request: MessageInitShape<typeof ReadStreamRequestSchema>): Promise<ReadStreamResponse[]> {
    return Array.fromAsync(this.stream("ReadStream", create(ReadStreamRequestSchema, request)));
  }

  use(session: string): void {
    this.metadata.set(sessionKey, session);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Whether a call was refused with a gRPC status. */
export const withStatus = (code: number) => (error: ServiceError) => {
  if (error.code === code) return true;
  throw new Error(`status ${error.code} in place of ${code}: ${error.details}`);
};

/** A star on loopback that fetches files too, over a folder of its own, in this process; `sources` is how it reaches others. */
export async function startWholeStar(t: TestContext, sources: SourceProvider = new StarSources()) {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-"));
  const jail = Jail.open([folder]);
  const replicator = new Replicator({ jail, sources });
  const events = notingEvents();
  const server = createStarServer({
    ...{ jail, authSecret, events, version: "test" },
    sessions: new Sessions({ token: "star" }),
    replicator,
  });
  const { port, stop } = await listen(server, "127.0.0.1", 0);
  t.after(async () => {
    await stop(0);
    await replicator[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const address = { url: `http://127.0.0.1:${port}`, token: "star" };
  return { folder, events, address, at: (name: string) => ({ star: address, path: join(folder, name) }) };
}

/** Sources whose first messages come so many ms late, and 64 KiB of what follows too. */
export function slowedSources(ms: number): SourceProvider {
  const sources = new StarSources();
  return {
    open: (source, range) => {
      const stream = sources.open(source, range);
      let share = 1;
      const next = async () => {
        await new Promise((resolve) => setTimeout(resolve, ms * share));
        const message = await stream.next();
        share = (message?.chunk.length ?? 0) / 65_536;
        return message;
      };
      return { next, cancel: () => stream.cancel() };
    },
    [Symbol.asyncDispose]: () => sources[Symbol.asyncDispose](),
  };
}
