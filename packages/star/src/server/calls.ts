import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import { type Refusal, writeRefusal } from "../refusal.ts";

/** Is told of what went wrong inside of a star, and not in what it was asked. */
export type OnFailure = (call: string, error: unknown) => void;

/** A call with one answer; what it throws becomes a gRPC status. */
export function unary<In, Out>(
  name: string,
  onFailure: OnFailure,
  answer: (call: ServerUnaryCall<In, Out>) => Out | Promise<Out>,
): handleUnaryCall<In, Out> {
  return (call, respond) => {
    Promise.try(answer, call).then(
      (message) => respond(null, message),
      (error) => respond(refusalOf(name, onFailure, error)),
    );
  };
}

/** A call with a stream of answers; what it throws becomes the stream's status. */
export function streaming<In, Out>(
  name: string,
  onFailure: OnFailure,
  send: (call: ServerWritableStream<In, Out>) => Promise<void>,
): handleServerStreamingCall<In, Out> {
  return (call) => {
    call.on("error", () => undefined); // Of a receiver that is gone: `send` sees it.
    Promise.try(send, call).then(
      () => call.end(),
      // gRPC listens, and ends the stream with the status.
      (error) => call.emit("error", refusalOf(name, onFailure, error)),
    );
  };
}

/** What a caller is told of a failure: of a fault of the star itself only that there was one. */
export function refusalOf(name: string, onFailure: OnFailure, error: unknown): Refusal {
  if (error instanceof StarError) return writeRefusal(error);
  onFailure(name, error);
  return { code: status.INTERNAL, details: "internal: the star's log says what went wrong" };
}

/** Who calls, without the port: `127.0.0.1`, `::1`, or a socket's path. */
export function addressOf(call: { getPeer(): string }): string {
  return call
    .getPeer()
    .replace(/^(?:ipv[46]|dns):/, "")
    .replace(/:\d+$/, "");
}

/** A request may hold thousands of empty entries, of which each costs lines of the log. */
const mostFiles = 1_000;

/** Throws StarError `request_invalid` where a call names more files than a star takes. */
export function checkFiles(files: readonly unknown[]): void {
  if (files.length > mostFiles)
    throw new StarError("request_invalid", `files: ${files.length}, and a call has at most ${mostFiles}`);
}
