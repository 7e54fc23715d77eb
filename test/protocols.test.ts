import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePorts, getByHost, httpService, NodeUnderTest, type TestService } from "@catalyst/harness";
import { authContract } from "@catalyst/rpc";
import { Metadata } from "@grpc/grpc-js";
import WebSocket, { WebSocketServer } from "ws";
import { echoClient, startEcho } from "../packages/envoy/test/grpc-echo.ts";

const run = promisify(execFile);
const domain = "test.catalyst.internal";
const bigBytes = 64 * 1024 * 1024;

/** A program of PATH; null where it is not installed. */
function program(name: string): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(existsSync) ?? null;
}

const curl = program("curl");
const postgres = program("postgres");
const [initdb, psql] = [program("initdb"), program("psql")];

/** PostgreSQL does not run as root: it is given to this user then. */
const isRoot = userInfo().uid === 0;
const maySwitch = !isRoot || program("setpriv") !== null;
const hasPostgres = postgres !== null && initdb !== null && psql !== null && maySwitch;
const asPostgres = (command: string, args: string[]): [string, string[]] =>
  isRoot
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", command, ...args]]
    : [command, args];

/** Answers what its path asks for: how bytes come and go, and what does not end. */
function answer(incoming: IncomingMessage, response: ServerResponse): void {
  const behave = behaviours[incoming.url ?? ""];
  if (behave === undefined) response.writeHead(404).end();
  else behave(incoming, response);
}

const behaviours: Record<string, (incoming: IncomingMessage, response: ServerResponse) => void> = {
  "/upload": digest,
  "/download": (_incoming, response) => void response.end(big),
  "/events": (_incoming, response) => events(response),
  "/endless": (_incoming, response) => endless(response),
};

const big = randomBytes(bigBytes);
const bigDigest = createHash("sha256").update(big).digest("hex");

function digest(incoming: IncomingMessage, response: ServerResponse): void {
  const hash = createHash("sha256");
  incoming
    .on("data", (bytes: Buffer) => hash.update(bytes))
    .on("end", () => response.end(hash.digest("hex")));
}

/** The next event is sent when somebody asks for it. */
const nextEvent: (() => void)[] = [];

function events(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  let count = 0;
  const send = () => response.write(`data: ${++count}\n\n`);
  nextEvent.push(send);
  send();
}

const sent = { http: 0, tcp: 0 };
const piece = randomBytes(64 * 1024);

/** Writes as long as somebody takes it. */
function pour(to: ServerResponse | Socket, kind: keyof typeof sent): void {
  const write = () => {
    do sent[kind] += piece.length;
    while (!to.destroyed && to.write(piece) && sent[kind] < 1024 * 1024 * 1024);
  };
  to.on("drain", write).on("error", () => to.destroy());
  write();
}

function endless(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  pour(response, "http");
}

/** A TCP service that says what it is told, and pours where it is told `pour`. */
async function startTcpEcho(): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy()));
    socket.on("data", (bytes) => (String(bytes) === "pour" ? pour(socket, "tcp") : socket.write(bytes)));
    socket.on("end", () => socket.end("bye"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Debian's PostgreSQL with a folder of its own; null where it is not installed. */
async function startPostgres(): Promise<(AsyncDisposable & { readonly url: string }) | null> {
  if (postgres === null || initdb === null || psql === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  const data = join(folder, "data");
  if (isRoot) await run("chown", ["postgres", folder]);
  await run(...asPostgres(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]));
  const [port = 0] = await freePorts(1);
  const options = ["-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1", "-F"];
  const server: ChildProcess = spawn(...asPostgres(postgres, options), { stdio: "ignore" });
  return {
    url: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const pid = Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]);
      process.kill(pid, "SIGINT");
      if (server.exitCode === null) await once(server, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resident memory of a process, in MB. */
function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round((Number(kilobytes) * 1024) / 1e6);
}

describe("Every protocol through two nodes, with clients that know nothing of them", () => {
  let resources: AsyncDisposableStack;
  let n1: NodeUnderTest;
  let n2: NodeUnderTest;
  let web: TestService;
  let [echoPort, postgresPort] = [0, 0];
  const host = (name: string) => `${name}.${domain}`;
  const egress = () => `127.0.0.1:${n1.ports.egress}`;

  before(async () => {
    resources = new AsyncDisposableStack();
    web = resources.use(await httpService("web", answer));
    const sockets = resources.use(await startWebSocketEcho());
    const [grpc, tcp] = [resources.use(await startEcho()), resources.use(await startTcpEcho())];
    const database = await startPostgres();
    if (database !== null) resources.use(database);
    const [peers = 0, authority = 0, ...ports] = await freePorts(4);
    [echoPort = 0, postgresPort = 0] = ports;
    n1 = resources.use(
      await NodeUnderTest.start({
        domain,
        flags: [
          ...["--listen-peers", `127.0.0.1:${peers}`, "--auth-authority-listen", `127.0.0.1:${authority}`],
          ...["--tcp", `name=echo,listen=127.0.0.1:${echoPort}`],
          ...["--tcp", `name=postgres,listen=127.0.0.1:${postgresPort}`],
        ],
      }),
    );
    using auth = await n1.connect("auth", authContract);
    const { token } = await auth.call.createJoinToken({ node: "n2" });
    const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${peers}` });
    const tcpServices = [
      { name: "echo", protocol: "tcp", url: tcp.url },
      ...(database === null ? [] : [{ name: "postgres", protocol: "tcp", url: database.url }]),
    ] as const;
    n2 = resources.use(
      await NodeUnderTest.start({
        name: "n2",
        domain,
        services: [
          web.declaration,
          { name: "ws", protocol: "http", url: sockets.url },
          { name: "grpc", protocol: "grpc", url: grpc.origin },
          ...tcpServices,
        ],
        flags: ["--peer", peer, "--join", token],
      }),
    );
    await n1.until("n1 knows the services of n2", 20_000, async () => {
      const known = new Set((await n1.routes()).map(({ service }) => service));
      return ["web", "ws", "grpc", ...tcpServices.map(({ name }) => name)].every((name) =>
        known.has(host(name)),
      );
    });
    await n1.until("the last of them is in force", 10_000, () => isOpen(echoPort));
    await n1.until("n1 has seen that n2 is well", 10_000, async () => {
      return (await getByHost(n1.ports.egress, host("web"))).status === 404;
    });
  });
  after(() => resources?.[Symbol.asyncDispose]());

  test("curl sends and gets 64 MiB as they are", {
    skip: curl === null && "curl is not installed",
  }, async (context) => {
    assert.ok(curl);
    const folder = mkdtempSync(join(tmpdir(), "curl-"));
    const file = join(folder, "big");
    try {
      writeFileSync(file, big);
      const common = ["-sS", "--fail", "-H", `host: ${host("web")}`, "-w", "%{time_total}"];
      const up = await run(curl, [
        ...common,
        "-T",
        file,
        "-o",
        `${file}.digest`,
        `http://${egress()}/upload`,
      ]);
      assert.equal(readFileSync(`${file}.digest`, "utf8"), bigDigest);
      const down = await run(curl, [...common, "-o", `${file}.back`, `http://${egress()}/download`]);
      assert.equal(
        createHash("sha256")
          .update(readFileSync(`${file}.back`))
          .digest("hex"),
        bigDigest,
      );
      const rate = ({ stdout }: { stdout: string }) => `${Math.round(bigBytes / 1e6 / Number(stdout))} MB/s`;
      context.diagnostic(`up ${rate(up)}, down ${rate(down)}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("gRPC passes in all four kinds of call", async () => {
    const client = echoClient(n1.ports.egress, host("grpc"));
    try {
      const metadata = new Metadata();
      metadata.set("x-sent", "told");
      const unary = Promise.withResolvers<string>();
      client.unary(Buffer.from("hello"), metadata, { deadline: Date.now() + 10_000 }, (error, bytes) =>
        error === null ? unary.resolve(String(bytes)) : unary.reject(error),
      );
      assert.equal(await unary.promise, "hello");
      const uploaded = Promise.withResolvers<string>();
      const upload = client.upload((error, all) =>
        error ? uploaded.reject(error) : uploaded.resolve(String(all)),
      );
      for (const part of ["a", "b", "c"]) upload.write(Buffer.from(part));
      upload.end();
      assert.equal(await uploaded.promise, "abc");
      const parts: string[] = [];
      for await (const part of client.download(Buffer.from("xyz"))) parts.push(String(part));
      assert.deepEqual(parts, ["x", "y", "z"]);
      const chat = client.chat();
      for (const said of ["ping", "pong"]) {
        chat.write(Buffer.from(said));
        assert.equal(String((await once(chat, "data"))[0]), said);
      }
      chat.end();
      await once(chat, "end");
    } finally {
      client.close();
    }
  });

  test("A WebSocket passes, text and bytes, and says why it ends", async () => {
    const socket = new WebSocket(`ws://${egress()}/`, { headers: { host: host("ws") } });
    await once(socket, "open");
    for (const said of [Buffer.from("hello"), randomBytes(100_000)]) {
      socket.send(said);
      const [heard] = (await once(socket, "message")) as [Buffer];
      assert.ok(said.equals(heard));
    }
    socket.close(4001, "enough");
    const [code] = await once(socket, "close");
    assert.equal(code, 4001);
  });

  test("Events arrive when they are sent", async () => {
    const call = request({
      host: "127.0.0.1",
      port: n1.ports.egress,
      path: "/events",
      headers: { host: host("web") },
    });
    call.on("error", () => undefined).end();
    const [response] = (await once(call, "response")) as [IncomingMessage];
    for (const expected of ["1", "2", "3"]) {
      const [event] = await once(response, "data");
      assert.equal(String(event), `data: ${expected}\n\n`);
      nextEvent.at(-1)?.();
    }
    call.destroy();
  });

  test("TCP passes, and each side finishes by itself", async () => {
    const socket = connect({ host: "127.0.0.1", port: echoPort, allowHalfOpen: true });
    let heard = "";
    socket.on("data", (bytes) => {
      heard += bytes;
    });
    socket.end("hello ");
    await once(socket, "end");
    assert.equal(heard, "hello bye");
  });

  test("psql asks the real PostgreSQL", { skip: !hasPostgres && "PostgreSQL is not installed" }, async () => {
    assert.ok(psql);
    const at = ["-h", "127.0.0.1", "-p", String(postgresPort), "-U", "postgres", "-X", "-q", "-A", "-t"];
    const ask = async (sql: string) =>
      (await run(psql, [...at, "-v", "ON_ERROR_STOP=1", "-c", sql])).stdout.trim();
    await n1.until("PostgreSQL answers", 20_000, () =>
      ask("SELECT 1").then(
        () => true,
        () => false,
      ),
    );
    await ask(
      "CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 32) AS text FROM generate_series(1, 20000) g",
    );
    const digestOf = "SELECT md5(string_agg(text, ',' ORDER BY id)) FROM t";
    const rows = await run(psql, [...at, "-c", "COPY (SELECT text FROM t ORDER BY id) TO STDOUT"], {
      maxBuffer: 2 ** 26,
    });
    const text = rows.stdout.trimEnd().split("\n").join(",");
    assert.equal(createHash("md5").update(text).digest("hex"), await ask(digestOf), "20 MB as they are");
  });

  test("A client that does not read holds little in either Envoy, and nothing of others", async (context) => {
    const [first, second] = await Promise.all([n1.pidOf("envoy"), n2.pidOf("envoy")]);
    const before = [first, second].map(residentMegabytes);
    const slow = [
      connect({ host: "127.0.0.1", port: n1.ports.egress }),
      connect({ host: "127.0.0.1", port: echoPort }),
    ];
    slow[0]?.write(`GET /endless HTTP/1.1\r\nhost: ${host("web")}\r\n\r\n`);
    slow[1]?.write("pour");
    await n1.until("nothing moves any more", 20_000, async () => {
      const { http, tcp } = sent;
      await sleep(500);
      return http > 0 && tcp > 0 && http === sent.http && tcp === sent.tcp;
    });
    const grown = [first, second].map((pid, index) => residentMegabytes(pid) - (before[index] ?? 0));
    const megabytes = (bytes: number) => Math.round(bytes / 1e6);
    context.diagnostic(
      `sent and not read: ${megabytes(sent.http)} MB by HTTP, ${megabytes(sent.tcp)} MB by TCP`,
    );
    context.diagnostic(`Envoys of ${before.join(" and ")} MB have grown by ${grown.join(" and ")} MB`);
    assert.ok(sent.http < 64e6 && sent.tcp < 64e6, JSON.stringify(sent));
    for (const each of grown) assert.ok(each < 32, `${each} MB`);
    const { status } = await getByHost(n1.ports.egress, host("web"), "/other");
    assert.equal(status, 404, "others are served meanwhile");
    for (const socket of slow) socket.destroy();
  });

  test("A TCP connection to a node that is revoked ends within 5 s", async (context) => {
    const socket = connect({ host: "127.0.0.1", port: echoPort }).on("error", () => undefined);
    socket.write("hello");
    await once(socket, "data");
    using auth = await n1.connect("auth", authContract);
    const begun = performance.now();
    await auth.call.revokeNode({ node: "n2" });
    await once(socket.resume(), "close", { signal: AbortSignal.timeout(10_000) });
    const tookMs = Math.round(performance.now() - begun);
    context.diagnostic(`ended after ${tookMs} ms`);
    assert.ok(tookMs <= 5_000);
  });
});

/** Repeats what it hears over a WebSocket. */
async function startWebSocketEcho(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    socket.on("message", (bytes: Buffer, binary) => socket.send(bytes, { binary }));
  });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
