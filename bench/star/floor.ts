// What gRPC in Node moves with nothing behind it: `floor.ts serve` prints its port; `floor.ts receive PORT` receives for each line
// `MESSAGES BYTES` and prints what it cost. No hash, no disk, no messages of a schema. For a line
// `MESSAGES BYTES PATH` it writes as many to a file and syncs that, and receives nothing: what the disk takes.
import { randomFillSync } from "node:crypto";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { Client, credentials, Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";
import { measure } from "../store/meter.ts";

const same = (bytes: Buffer): Buffer => bytes;
const method = {
  path: "/floor/Read",
  requestStream: false,
  responseStream: true,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

const [command, ...args] = process.argv.slice(2);
if (command === "serve") serve();
else await receive(Number(args[0]));

function serve(): void {
  const server = new Server({ "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER });
  server.addService(
    { Read: method },
    {
      Read: (call: ServerWritableStream<Buffer, Buffer>) => {
        const [messages, bytes] = [call.request.readUInt32BE(0), call.request.readUInt32BE(4)];
        const message = Buffer.alloc(bytes, 1);
        let sent = 0;
        const send = (): void => {
          while (sent < messages) {
            sent += 1;
            if (!call.write(message)) return void call.once("drain", send);
          }
          call.end();
        };
        send();
      },
    },
  );
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, port) => console.log(port));
}

function write(path: string, messages: number, bytes: number): void {
  const block = randomFillSync(Buffer.alloc(bytes));
  const file = openSync(path, "wx");
  for (let written = 0; written < messages; written++) writeSync(file, block);
  fdatasyncSync(file);
  closeSync(file);
}

async function receive(port: number): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc-node.flow_control_window": 512 * 1024,
  });
  console.log(port);
  for await (const line of createInterface({ input: process.stdin })) {
    const [count, size, path] = line.split(" ");
    const [messages, bytes] = [Number(count), Number(size)];
    const request = Buffer.alloc(8);
    request.writeUInt32BE(messages, 0);
    request.writeUInt32BE(bytes, 4);
    const measured = await measure(async () => {
      let received = 0;
      if (path !== undefined) {
        write(path, messages, bytes);
        return { bytes: messages * bytes };
      }
      for await (const message of client.makeServerStreamRequest(method.path, same, same, request))
        received += (message as Buffer).length;
      if (received !== messages * bytes) throw new Error(`${received} bytes came`);
      return { bytes: received };
    });
    console.log(JSON.stringify(measured));
  }
  client.close();
}
