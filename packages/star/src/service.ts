import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import {
  FileEntrySchema,
  HandshakeRequestSchema,
  HandshakeResponseSchema,
  HashRequestSchema,
  HashResponseSchema,
  ReadFilesRequestSchema,
  ReadFilesResponseSchema,
  ReadHeaderRequestSchema,
  ReadHeaderResponseSchema,
  ReadStreamRequestSchema,
  type ReadStreamResponse,
  ReadStreamResponseSchema,
  ReplicateFilesRequestSchema,
  ReplicateFilesResponseSchema,
  ReplicateRequestSchema,
  ReplicateResponseSchema,
  ScanRequestSchema,
  StarService,
} from "../generated/orbit/v1/orbit_pb.js";

/** StarService of `spec/proto/orbit/v1/orbit.proto`, for gRPC's server and client. */
export const starService = {
  Handshake: method("Handshake", HandshakeRequestSchema, HandshakeResponseSchema),
  ScanDirectory: method("ScanDirectory", ScanRequestSchema, FileEntrySchema, true),
  ReadHeader: method("ReadHeader", ReadHeaderRequestSchema, ReadHeaderResponseSchema),
  CalculateHash: method("CalculateHash", HashRequestSchema, HashResponseSchema),
  ReplicateFile: method("ReplicateFile", ReplicateRequestSchema, ReplicateResponseSchema),
  ReadStream: {
    ...method("ReadStream", ReadStreamRequestSchema, ReadStreamResponseSchema, true),
    responseSerialize: encodeReadStream,
  },
  ReplicateFiles: method("ReplicateFiles", ReplicateFilesRequestSchema, ReplicateFilesResponseSchema, true),
  ReadFiles: method("ReadFiles", ReadFilesRequestSchema, ReadFilesResponseSchema, true),
} satisfies ServiceDefinition;

/** The metadata key under which a session's id travels. */
export const sessionKey = "session-id";

function method<In extends DescMessage, Out extends DescMessage>(
  name: string,
  request: In,
  response: Out,
  responseStream = false,
): MethodDefinition<MessageShape<In>, MessageShape<Out>> {
  return {
    path: `/${StarService.typeName}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (message) => encode(request, message),
    requestDeserialize: (bytes) => fromBinary(request, bytes),
    responseSerialize: (message) => encode(response, message),
    responseDeserialize: (bytes) => fromBinary(response, bytes),
  };
}

function encode<S extends DescMessage>(schema: S, message: MessageShape<S>): Buffer {
  const { buffer, byteOffset, byteLength } = toBinary(schema, message);
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Field 1, length-delimited. */
const chunkTag = 0x0a;
/** A tag, and a length of at most 2^32. */
const longestHead = 6;
let scratch = Buffer.alloc(0);

/**
 * As the generated code does, but into the same memory each time: gRPC copies it at once, and what is made anew for every
 * message of a large file costs more than all the rest of sending it.
 */
function encodeReadStream(message: ReadStreamResponse): Buffer {
  const { chunk, offset, totalSize, validator } = message;
  const isPlain = offset === undefined && totalSize === undefined && validator.length === 0;
  if (!isPlain || chunk.length === 0) return encode(ReadStreamResponseSchema, message);
  if (scratch.length < longestHead + chunk.length)
    scratch = Buffer.allocUnsafeSlow(longestHead + chunk.length);
  scratch[0] = chunkTag;
  let at = 1;
  let left = chunk.length;
  for (; left > 0x7f; left >>>= 7) scratch[at++] = (left & 0x7f) | 0x80;
  scratch[at++] = left;
  scratch.set(chunk, at);
  return scratch.subarray(0, at + chunk.length);
}
