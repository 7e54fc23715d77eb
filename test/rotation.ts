import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, httpService, type Load, type NodeUnderTest, shop } from "@catalyst/harness";
import { toPem } from "@catalyst/identity";
import { createTestOrganisation, selfSigned } from "@catalyst/identity/testing";
import { authContract } from "@catalyst/rpc";
import { byHost, countedBy, queries, summary } from "./loads.ts";
import { organisation } from "./organisation.ts";

const domain = "test.catalyst.internal";
/** What a key is published for before it signs, and a bit. */
const publishedMs = 11 * 60_000;
const tokenTtlMs = 300_000;

/** Requests of one kind, one after the other, until they are stopped. */
type Requests = { readonly name: string; readonly load: Pick<Load, "outcomes" | "stop"> };

/** A file that others read: they see the old text or the new one. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const selfSignedOf = (node: string) => selfSigned({ domain, node, process: "orchestrator" });

/** A root of the same organisation beside the one that its nodes keep, and what it certifies n1's Envoy by. */
async function secondRoot() {
  const { rootAuthority, issue } = await createTestOrganisation(domain);
  return { pem: toPem("CERTIFICATE", rootAuthority.certificate), envoy: await issue("n1", "envoy") };
}

/** Two nodes that demand credentials, under load at both, with all that can be rotated. */
export async function rotatingNodes() {
  await using started = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "catalyst-rotation-"));
  started.defer(() => rmSync(folder, { recursive: true }));
  const files = {
    clock: join(folder, "clock"),
    roots: join(folder, "roots.pem"),
    certificate: join(folder, "ingress.pem"),
    key: join(folder, "ingress.key.pem"),
  };
  const [first, root] = [await selfSignedOf("n1"), await secondRoot()];
  put(files.clock, "0");
  put(files.roots, root.pem);
  put(files.certificate, first.cert);
  put(files.key, first.key);
  const services = started.use(await shop());
  const plain = await Promise.all(
    ["hello1", "hello2"].map((name) => httpService(name, (_, response) => response.end("hello"))),
  );
  for (const service of plain) started.use(service);
  const [tlsPort = 0] = await freePorts(1);
  const both = ["--auth-required", "--domain-root", JSON.stringify({ domain, file: files.roots })];
  const tls = ["--ingress-tls", `127.0.0.1:${tlsPort}`, "--mesh-tls-certificate-file", files.certificate];
  const env = {
    FORWARD_CLOCK: files.clock,
    NODE_OPTIONS: `--import ${import.meta.resolve("./forward-clock.ts")}`,
  };
  const declared = [services.products, services.reviews].map((service, at) =>
    [service, plain[at] ?? assert.fail()].map(({ declaration }) => declaration),
  );
  const { nodes } = started.use(
    await organisation([
      {
        services: declared[0] ?? [],
        flags: [...both, ...tls, "--mesh-tls-private-key-file", files.key],
        env,
      },
      { services: declared[1] ?? [], flags: both, env },
    ]),
  );
  const [n1, n2] = nodes;
  assert.ok(n1 && n2);
  const kept = started.move();
  return { n1, n2, tlsPort, files, root, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

export type RotatingNodes = Awaited<ReturnType<typeof rotatingNodes>>;

/** A token, or an API key, that is made anew again and again: what the newest key signs is taken at once. */
async function credentials({ n1 }: RotatingNodes) {
  const auth = await n1.connect("auth", authContract);
  const subject = "alice";
  const make = async () => {
    const token = await auth.call.createToken({ subject, services: ["*"], ttlMs: tokenTtlMs });
    const key = await auth.call.createApiKey({ services: ["*"], ttlMs: tokenTtlMs });
    return { token: token.token, key: key.key };
  };
  let newest = await make();
  let before = newest;
  return {
    /** Of the round before: the key that signed it only verifies by now. */
    before: () => ({ authorization: `Bearer ${before.token}` }),
    token: () => ({ authorization: `Bearer ${newest.token}` }),
    key: () => ({ "x-api-key": newest.key }),
    renew: async () => {
      const made = await make();
      [before, newest] = [newest, made];
    },
    [Symbol.dispose]: () => auth[Symbol.dispose](),
  };
}

type Credentials = Awaited<ReturnType<typeof credentials>>;

function requestsOf(nodes: RotatingNodes, made: Credentials): Requests[] {
  const { n1, n2, tlsPort } = nodes;
  const far = `hello2.${domain}`;
  const one = { concurrency: 1, pauseMs: 15 } as const;
  const load = (name: string, made: Requests["load"]): Requests => ({ name, load: made });
  return [
    load("token", byHost(n1.ports.ingress, far, { ...one, headers: made.token })),
    load(
      "token of the key before, new connections",
      byHost(n1.ports.ingress, far, { ...one, headers: made.before, anew: true }),
    ),
    load("API key", byHost(n1.ports.ingress, far, { ...one, headers: made.key })),
    load("token at n2", byHost(n2.ports.ingress, `hello1.${domain}`, { ...one, headers: made.token })),
    load("queries over both", queries(n1, { ...one, headers: made.token })),
    load(
      "TLS at ingress, new connections",
      over(() => tlsTo(tlsPort, {}, { ":path": "/", host: far, ...made.token() })),
    ),
    load(
      "mutual TLS at mesh, new connections",
      over(() => meshOf(n1, n2)),
    ),
    load(
      "mutual TLS at mesh, new connections of n2",
      over(() => meshOf(n2, n1)),
    ),
  ];
}

/** Whatever happens, nothing goes on. */
function stopping(requests: readonly Requests[]): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => void (await Promise.all(requests.map(({ load }) => load.stop()))),
  };
}

/** Runs something again and again, and keeps what came of it. */
function over(run: () => Promise<string | null>): Requests["load"] {
  const outcomes: Load["outcomes"] = [];
  let stopped = false;
  const work = async () => {
    while (!stopped) {
      const begun = performance.now();
      const what = await run().catch((error: Error) => error.message);
      const at = performance.now();
      outcomes.push({ ok: what === null, what: what ?? "ok", at, tookMs: at - begun });
      await sleep(30);
    }
  };
  const working = work();
  return {
    outcomes,
    stop: async () => {
      stopped = true;
      await working;
      return outcomes;
    },
  };
}

type Shown = { readonly cert?: string; readonly key?: string };

/** One request over HTTP/2 on a connection of its own; null when it was answered as it should be. */
async function tlsTo(port: number, shown: Shown, headers: Record<string, string>): Promise<string | null> {
  const session = connect(`https://127.0.0.1:${port}`, { ...shown, rejectUnauthorized: false });
  try {
    session.on("error", () => undefined);
    await once(session, "connect");
    const stream = session.request(headers);
    const [response] = await once(stream, "response");
    stream.resume();
    return response[":status"] === 200 ? null : `${response[":status"]}`;
  } finally {
    session.destroy();
  }
}

/** What a node's Envoy shows to others now. */
function envoyOf(node: NodeUnderTest): {
  readonly cert: string;
  readonly key: string;
  readonly serial: string;
} {
  const text = readFileSync(join(node.dataDir, "identity", "envoy.pem"), "utf8");
  return { cert: text, key: text, serial: new X509Certificate(text).serialNumber };
}

/** A new connection of one node to the mesh listener of another, as its Envoy makes it. */
function meshOf(from: NodeUnderTest, to: NodeUnderTest): Promise<string | null> {
  const { cert, key } = envoyOf(from);
  return tlsTo(to.ports.mesh, { cert, key }, meshHealth);
}

const meshHealth = { ":path": "/.well-known/catalyst/mesh" };

/** One rotation of each kind, each of which resolves when it is in force. */
function rotations({ n1, n2, tlsPort, files, root }: RotatingNodes, made: Credentials) {
  let ahead = 0;
  let last = root;
  const versions = async () => {
    const each = await Promise.all([n1, n2].map((node) => node.mesh()));
    return each.map(({ credentials }) => credentials?.version ?? 0);
  };
  const signing = async (kind: "tokens" | "apikeys") => {
    const before = await versions();
    using auth = await n1.connect("auth", authContract);
    ahead += publishedMs;
    put(files.clock, String(ahead));
    try {
      await auth.call.rotate({ kind });
    } finally {
      put(files.clock, "0");
    }
    await made.renew();
    await n1.until("both nodes have the new key", 10_000, async () => {
      return (await versions()).every((version, at) => version > (before[at] ?? 0));
    });
  };
  const certificates = async () => {
    for (const node of [n1, n2]) {
      const before = envoyOf(node).serial;
      using auth = await node.connect("auth", authContract);
      await auth.call.renewIdentity(undefined);
      await node.until("Envoy shows the new certificate", 10_000, async () => {
        const shown = await shownAt(node.ports.mesh, envoyOf(node === n1 ? n2 : n1));
        return shown !== before && shown === envoyOf(node).serial;
      });
    }
  };
  return {
    "node certificates": certificates,
    "token keys": () => signing("tokens"),
    "API key keys": () => signing("apikeys"),
    // The new one beside the old one first, as one does who cannot reach everybody at once; then it alone.
    roots: async () => {
      const [before, next] = [last, await secondRoot()];
      last = next;
      const isBelieved =
        ({ envoy }: typeof next) =>
        async () =>
          (await tlsTo(n2.ports.mesh, envoy, meshHealth).catch(() => "refused")) === null;
      put(files.roots, `${before.pem}${next.pem}`);
      await n2.until("the new root is believed", 10_000, isBelieved(next));
      assert.ok(await isBelieved(before)());
      put(files.roots, next.pem);
      await n2.until("the old root is believed no more", 10_000, async () => !(await isBelieved(before)()));
      assert.ok(await isBelieved(next)());
    },
    "certificate of ingress": async () => {
      const next = await selfSignedOf("n1");
      const { serialNumber } = new X509Certificate(next.cert);
      put(files.key, next.key);
      put(files.certificate, next.cert);
      await n1.until("ingress shows the new certificate", 10_000, async () => {
        return (await shownAt(tlsPort, {})) === serialNumber;
      });
    },
  } as const;
}

/** The serial number of the certificate that a listener shows. */
async function shownAt(port: number, shown: Shown): Promise<string> {
  const session = connect(`https://127.0.0.1:${port}`, { ...shown, rejectUnauthorized: false });
  try {
    session.on("error", () => undefined);
    await once(session, "connect");
    const socket = session.socket as unknown as { getPeerX509Certificate(): X509Certificate };
    return socket.getPeerX509Certificate().serialNumber;
  } finally {
    session.destroy();
  }
}

/**
 * Rotates everything so many times under load, and until a time by `performance.now()`. Rejects when a single request, or a
 * single new connection, failed.
 */
export async function rotateUnderLoad(rounds: number, say: (text: string) => void, until = 0): Promise<void> {
  await using nodes = await rotatingNodes();
  using made = await credentials(nodes);
  const { n1 } = nodes;
  await n1.until("queries over both nodes are answered", 20_000, async () => {
    const answer = await fetch(n1.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", ...made.token() },
      body: JSON.stringify({ query: "{ products { reviews { rating } } }" }),
    });
    return answer.status === 200 && !(await answer.text()).includes("errors");
  });
  const requests = requestsOf(nodes, made);
  await using _stopping = stopping(requests);
  const all = rotations(nodes, made);
  const took = new Map<string, number[]>();
  for (let round = 0; round < rounds || performance.now() < until; round++) {
    for (const [kind, rotate] of Object.entries(all)) {
      const begun = performance.now();
      await rotate();
      took.set(kind, [...(took.get(kind) ?? []), performance.now() - begun]);
    }
  }
  await sleep(500);
  await Promise.all(requests.map(({ load }) => load.stop()));
  for (const [kind, each] of took) {
    say(`${kind}: ${each.length} rotations, in force after ${Math.round(Math.max(...each))} ms at most`);
  }
  for (const { name, load } of requests) say(`${name}: ${summary(load.outcomes)}`);
  for (const { name, load } of requests) {
    const { ok, failed } = countedBy(load.outcomes);
    assert.ok(ok > 20, `${name}: ${ok}`);
    assert.deepEqual(failed.slice(0, 3), [], name);
  }
}

/** `npm run soak -- rotation`: twenty rotations of each kind at least. */
export async function soakRotation(minutes: number, say: (text: string) => void): Promise<boolean> {
  await rotateUnderLoad(20, say, performance.now() + minutes * 60_000);
  return true;
}
