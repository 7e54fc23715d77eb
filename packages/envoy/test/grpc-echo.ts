import {
  type Client,
  credentials,
  Metadata,
  makeClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";

const asIs = (bytes: Buffer) => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** A service with one method of each kind. */
const definition = {
  unary: method("Unary", false, false),
  upload: method("Upload", true, false),
  download: method("Download", false, true),
  chat: method("Chat", true, true),
} satisfies ServiceDefinition;

/** Listens on a port of loopback. */
export async function startEcho(): Promise<AsyncDisposable & { readonly origin: string }> {
  const server = new Server();
  server.addService(definition, {
    unary: ({ request, metadata }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      const trailers = new Metadata();
      trailers.set("x-seen", String(metadata.get("x-sent")[0] ?? ""));
      if (request.toString() === "never") return; // Until the deadline.
      answer(null, request, trailers);
    },
    upload: (call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      const parts: Buffer[] = [];
      call.on("data", (part: Buffer) => parts.push(part));
      call.on("end", () => answer(null, Buffer.concat(parts)));
    },
    download: (call: ServerWritableStream<Buffer, Buffer>) => {
      for (const byte of call.request) call.write(Buffer.from([byte]));
      call.end();
    },
    chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (bytes: Buffer) => call.write(bytes));
      call.on("end", () => call.end());
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port);
    else reject(error);
  });
  return {
    origin: `http://127.0.0.1:${await promise}`,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** A client that asks an Envoy for the service of this Host. */
export function echoClient(port: number, host: string) {
  const Echo = makeClientConstructor(definition, "Echo");
  return new Echo(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.default_authority": host,
  }) as unknown as Client & EchoCalls;
}

type Unary = (
  request: Buffer,
  metadata: Metadata,
  options: { deadline: number },
  done: (error: { code: number } | null, answer?: Buffer) => void,
) => NodeJS.EventEmitter;
type EchoCalls = {
  readonly unary: Unary;
  readonly upload: (done: (error: Error | null, answer?: Buffer) => void) => NodeJS.WritableStream;
  readonly download: (request: Buffer) => AsyncIterable<Buffer>;
  readonly chat: () => NodeJS.ReadWriteStream;
};
