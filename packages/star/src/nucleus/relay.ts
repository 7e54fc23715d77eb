import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import {
  type ReadStreamRequest,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
} from "../../generated/orbit/v1/orbit_pb.js";
import { listen } from "../connection/listen.ts";
import { parseStarUrl } from "../connection/star-url.ts";
import type { TlsFiles } from "../connection/tls-files.ts";
import { StarError } from "../errors.ts";
import { streaming } from "../server/calls.ts";
import { Outgoing } from "../server/outgoing.ts";
import { starService } from "../service.ts";
import { mintTransferToken, verifyTransferToken } from "../transfer-token.ts";
import type { RelayedFile } from "./relayed-file.ts";

/** A source that stands in for another one, for one file and whoever has its token. */
export type Relay = AsyncDisposable & {
  readonly url: string;
  readonly token: string;
  /** What has gone through it, in bytes. */
  readonly bytes: number;
  /** That the source was not reached from here, the last time that it was not; null where it always was. */
  readonly unreached: StarError | null;
};

/** A destination that takes nothing for so long is given up, in ms. */
const idleMs = 60_000;

/**
 * Opens a source for `path` at the address of this machine that the destination sees, on any free port; over TLS where it is
 * given a certificate. Throws StarError `star_unreachable` where the destination is not there, and `listen_failed`.
 */
export async function openRelay(
  path: string,
  destination: string,
  file: RelayedFile,
  tls: TlsFiles | undefined,
): Promise<Relay> {
  const host = await addressTowards(destination);
  const secret = randomBytes(32).toString("base64url");
  let bytes = 0;
  let unreached: StarError | null = null;
  const server = new Server({ "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER });
  const answer = async (call: ServerWritableStream<ReadStreamRequest, ReadStreamResponse>): Promise<void> => {
    const { transferToken, offset, length, path: asked } = call.request;
    verifyTransferToken(secret, transferToken, asked, Math.floor(Date.now() / 1_000));
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    const outgoing = Outgoing.ofCall(call, idleMs);
    try {
      for await (const message of file(offset, length, gone.signal)) {
        bytes += message.chunk?.length ?? 0;
        await outgoing.send(create(ReadStreamResponseSchema, message));
      }
    } catch (error) {
      if (error instanceof StarError && error.code === "source_unreachable") unreached = error;
      throw error;
    }
  };
  server.addService(
    { ReadStream: starService.ReadStream },
    { ReadStream: streaming("ReadStream", () => undefined, answer) },
  );
  const { port, stop } = await listen({ grpc: server }, host, 0, { tls });
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    url: `${tls === undefined ? "http" : "https"}://${shown}:${port}`,
    token: mintTransferToken(secret, path),
    get bytes() {
      return bytes;
    },
    get unreached() {
      return unreached;
    },
    [Symbol.asyncDispose]: () => stop(0),
  };
}

/** The address of this machine that a star sees, which is the one that reaches it. */
function addressTowards(url: string): Promise<string> {
  const { host, port } = parseStarUrl(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 10_000 });
    const fail = (why: string) => {
      socket.destroy();
      reject(new StarError("star_unreachable", `${url}: ${why}`));
    };
    socket.once("connect", () => {
      const { localAddress = "" } = socket;
      socket.destroy();
      resolve(localAddress);
    });
    socket.once("timeout", () => fail("no answer in 10 s"));
    socket.once("error", (error) => fail(error.message));
  });
}
