import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readTokenIssuer, verifyToken } from "@catalyst/identity";
import { authContract, connectRpc, requestSocket, socketPath } from "@catalyst/rpc";
import { paths } from "../paths.ts";
import { dayMs, domain, newDataDir, verifiedBy } from "./root/test-auth.ts";

// An auth process of its own, on real sockets and a real disk.

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

type Auth = { readonly dataDir: string; readonly child: ChildProcess; readonly words: () => string };

async function start(dataDir = newDataDir()): Promise<Auth> {
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const configuration = { node: { domain }, telemetry: { listen: "off", logLevel: "trace" } };
  const program = `
    const { loadConfig } = await import("@catalyst/config");
    const { nodeConfig } = await import(${source("../options.ts")});
    const { runAuth } = await import(${source("auth.ts")});
    const text = ${JSON.stringify(JSON.stringify(configuration))};
    await runAuth(loadConfig(nodeConfig, { file: { path: "c.json", text } }).value, ${JSON.stringify(dataDir)});
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let words = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (words += text));
  for (let left = 200; !words.includes("process started"); left--) {
    assert.ok(left > 0 && child.exitCode === null, words);
    await sleep(50);
  }
  return { dataDir, child, words: () => words };
}

async function end({ child }: Auth, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await once(child, "exit");
}

const open = ({ dataDir }: Auth) => connectRpc(socketPath(dataDir, "auth"), authContract);
const ask = ({ dataDir }: Auth, path: string, method: "GET" | "POST" = "GET") =>
  requestSocket({ socketPath: paths.jwksSocket(dataDir), path, method, timeoutMs: 5_000 });

/** Every file below a folder, as text. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"));
}

test("a key that was answered is there after kill -9, and a revoked one is still denied", async () => {
  const first = await start();
  using before = await open(first);
  const ask = { services: ["products"], ttlMs: dayMs };
  const [kept, revoked] = [
    await before.call.createApiKey({ ...ask, name: "kept" }),
    await before.call.createApiKey({ ...ask, name: "revoked" }),
  ];
  await before.call.revokeApiKey({ key: "revoked" });
  await end(first, "SIGKILL");
  const second = await start(first.dataDir);
  using again = await open(second);
  const credentials = await again.call.credentials(undefined);
  assert.equal(verifiedBy(credentials, kept.key, Date.now()).kind, "apikeys");
  assert.deepEqual(verifiedBy(credentials, revoked.key, Date.now()), {
    kind: "refused",
    code: "token_revoked",
  });
  const listed = await again.call.apiKeys({});
  assert.deepEqual(listed.map(({ name }) => name).sort(), ["kept", "revoked"]);
  await end(second, "SIGTERM");
});

test("who watches hears of a revocation within a second, and is answered when the process ends", async () => {
  const auth = await start();
  using connection = await open(auth);
  const calls = connection.call;
  const { version } = await calls.credentials(undefined);
  const watched = calls.watch({ after: version }, { timeoutMs: 30_000 });
  const { id } = await calls.createApiKey({ services: ["*"], ttlMs: dayMs });
  const at = performance.now();
  await calls.revokeApiKey({ key: id });
  const told = await watched;
  assert.ok(performance.now() - at < 1_000);
  assert.deepEqual(
    told.revoked.map(({ jti }) => jti),
    [id],
  );
  const last = calls.watch({ after: told.version }, { timeoutMs: 30_000 });
  await calls.drain(undefined);
  assert.equal((await last).version, told.version);
  await once(auth.child, "exit");
});

test("the public keys of each issuer are given to anybody below its own iss, where a standard client looks", async () => {
  const auth = await start();
  using connection = await open(auth);
  const calls = connection.call;
  const signing = await calls.signingKeys(undefined);
  const bodyOf = async (path: string) => JSON.parse((await ask(auth, path)).body);
  for (const [kind, below] of [
    ["tokens", ""],
    ["apikeys", "/apikeys"],
  ] as const) {
    const issuer = `https://${domain}${below}`;
    const metadata = await bodyOf(`${below}/.well-known/openid-configuration`);
    assert.deepEqual(metadata, {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    });
    assert.deepEqual(await bodyOf(`/.well-known/oauth-authorization-server${below}`), metadata);
    const { keys } = await bodyOf(`${new URL(metadata.jwks_uri).pathname}?fresh`);
    const kids = signing.filter((each) => each.kind === kind).map(({ kid }) => kid);
    assert.deepEqual(keys.map(({ kid }: { kid: string }) => kid).sort(), kids.sort());
    for (const key of keys) {
      assert.deepEqual(Object.keys(key).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
      assert.deepEqual([key.alg, key.use, key.crv], ["ES256", "sig", "P-256"]);
    }
  }
  await end(auth, "SIGTERM");
});

test("who follows discovery from the iss of a credential can verify it", async () => {
  const auth = await start();
  using connection = await open(auth);
  const calls = connection.call;
  const { key } = await calls.createApiKey({ services: ["*"], ttlMs: dayMs });
  const subject = `spiffe://${domain}/node/n1/gateway`;
  const { token } = await calls.mint({ subject, services: ["*"], ttlMs: 60_000 });
  const bodyOf = async (url: string) => (await ask(auth, new URL(url).pathname)).body;
  for (const [kind, credential] of [
    ["tokens", token],
    ["apikeys", key],
  ] as const) {
    const { iss } = JSON.parse(Buffer.from(credential.split(".")[1] ?? "", "base64url").toString());
    const { issuer, jwks_uri } = JSON.parse(await bodyOf(`${iss}/.well-known/openid-configuration`));
    assert.equal(issuer, iss);
    const jwks = await bodyOf(jwks_uri);
    const told = readTokenIssuer({ kind, issuer, audience: domain, maxLifetimeMs: dayMs, jwks });
    const trust = { issuers: [told], now: Date.now(), isRevoked: () => false };
    assert.equal(verifyToken(credential, trust).kind, kind);
  }
  await end(auth, "SIGTERM");
});

test("nothing else is served where outsiders ask: no RPC, no operations, no other method", async () => {
  const auth = await start();
  for (const path of [
    "/",
    "/rpc",
    "/metrics",
    "/healthz",
    "/readyz",
    "/.well-known/",
    "/.well-known/jwks.json/",
    "/apikeys",
    "/apikeys/.well-known/oauth-authorization-server",
  ])
    assert.equal((await ask(auth, path)).status, 404, path);
  assert.equal((await ask(auth, "/.well-known/jwks.json", "POST")).status, 405);
  const upgrade = request({
    socketPath: paths.jwksSocket(auth.dataDir),
    path: "/rpc",
    headers: {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    },
  });
  upgrade.end();
  const outcome = await Promise.race([
    once(upgrade, "response").then(([{ statusCode }]) => statusCode),
    once(upgrade, "upgrade").then(() => "upgraded"),
    once(upgrade, "error").then(() => "refused"),
  ]);
  assert.equal(outcome, 404);
  upgrade.destroy();
  const raw = connect(paths.jwksSocket(auth.dataDir));
  raw.end("nonsense\r\n\r\n");
  let answer = "";
  for await (const piece of raw) answer += piece;
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.equal((await ask(auth, "/.well-known/jwks.json")).status, 200);
  for (const path of [paths.jwksSocket(auth.dataDir), socketPath(auth.dataDir, "auth")])
    assert.equal(statSync(path).mode & 0o777, 0o600);
  await end(auth, "SIGTERM");
});

test("tokens, API keys and private keys are in no log, status, check, explanation, metric, error or file but their own", async () => {
  const auth = await start();
  using connection = await open(auth);
  const calls = connection.call;
  const { key, id } = await calls.createApiKey({ name: "ci", services: ["products"], ttlMs: dayMs });
  const subject = `spiffe://${domain}/node/n1/gateway`;
  const { token } = await calls.mint({ subject, services: ["*"], ttlMs: 60_000 });
  const told: unknown[] = [
    await calls.status(undefined),
    await calls.check(undefined),
    await calls.explain({ subject: "apikey", name: "ci" }),
    await calls.apiKeys({}),
    await calls.signingKeys(undefined),
    await calls.credentials(undefined),
    (
      await requestSocket({
        socketPath: socketPath(auth.dataDir, "auth"),
        path: "/metrics",
        timeoutMs: 5_000,
      })
    ).body,
    await calls.revokeApiKey({ key: id }),
  ];
  for (const wrong of [key, `${key}x`, "\u0000"])
    told.push(await calls.revokeApiKey({ key: wrong.slice(0, 128) }).catch(({ message }) => message));
  const folder = paths.signingKeys(auth.dataDir);
  const pems = filesBelow(folder).filter((text) => text.includes("PRIVATE KEY"));
  assert.equal(pems.length, 4);
  await end(auth, "SIGTERM");
  told.push(auth.words());
  const elsewhere = filesBelow(auth.dataDir).filter((text) => !text.includes("PRIVATE KEY"));
  assert.ok(elsewhere.length >= 3);
  const everything = [...told.map((each) => JSON.stringify(each)), ...elsewhere].join("\n");
  const signatures = [key, token].map((each) => each.split(".")[2] ?? "");
  const secrets = pems.map((pem) => pem.split("\n")[1] ?? "");
  for (const secret of [...signatures, ...secrets]) {
    assert.ok(secret.length > 40);
    assert.ok(!everything.includes(secret));
  }
});
