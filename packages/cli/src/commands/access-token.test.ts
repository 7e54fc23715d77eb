import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { hash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseJoinToken, readTokenIssuer, verifyToken } from "@catalyst/identity";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { joinOrganisation } from "@catalyst/node";
import { authContract, connectRpc, type Decision, socketPath } from "@catalyst/rpc";

// The commands against a root authority and a node that has joined it, as a person would type them.

const folder = mkdtempSync(join(tmpdir(), "catalyst-token-"));
const bin = join(import.meta.dirname, "../../bin/catalyst.js");
const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder } };
const domain = "acme.catalyst.internal";
const running = new Map<string, ChildProcess>();

type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** One command line; the last argument that begins with "< " is given on standard input. */
function catalyst(...args: readonly string[]): Promise<Result> {
  const input = args.at(-1)?.startsWith("< ") === true ? args.at(-1)?.slice(2) : undefined;
  return new Promise((resolve) => {
    const given = input === undefined ? args : args.slice(0, -1);
    const child = execFile(process.execPath, [bin, ...given], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end(input);
  });
}
const at = (name: string, ...args: string[]) =>
  catalyst(...args.slice(0, 2), "--config", `${name}.json`, ...args.slice(2));

/** The auth process of a node of its own, when it has started. */
async function startAuth(name: string, auth: object = {}): Promise<void> {
  const node = { name, domain, dataDir: join(folder, name) };
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ node, auth, telemetry: { listen: "off" } }));
  const stdio = ["ignore", "ignore", "pipe"] as const;
  const child = spawn(process.execPath, [bin, "auth", "--config", file], { ...options, stdio: [...stdio] });
  running.set(name, child);
  let words = "";
  child.stderr?.on("data", (text) => (words += text));
  for (let left = 400; !words.includes("process started"); left--) {
    assert.ok(left > 0 && child.exitCode === null, words);
    await sleep(50);
  }
}

async function stop(name: string): Promise<void> {
  const child = running.get(name);
  running.delete(name);
  child?.kill("SIGTERM");
  if (child !== undefined && child.exitCode === null) await once(child, "exit");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function verified(token: string, certificate?: string) {
  using auth = await connectRpc(socketPath(join(folder, "n2"), "auth"), authContract);
  const { issuers, revoked } = await auth.call.credentials(undefined);
  const isRevoked = (jti: string) => revoked.some((each) => each.jti === jti);
  return verifyToken(token, {
    issuers: issuers.map(readTokenIssuer),
    now: Date.now(),
    isRevoked,
    certificate,
  });
}

let thumbprint = "";

before(async () => {
  await startAuth("n1", { authority: { listen: `127.0.0.1:${await freePort()}` } });
  const { stdout } = await at("n1", "token", "create", "--node", "n2");
  await joinOrganisation(join(folder, "n2"), parseJoinToken(stdout.trim()));
  await startAuth("n2");
  const { cert } = await (await createTestOrganisation("clients.example")).issue("alice", "laptop");
  writeFileSync(join(folder, "alice.pem"), cert);
  thumbprint = hash("sha256", new X509Certificate(cert).raw, "base64url");
});

after(async () => {
  for (const name of [...running.keys()]) await stop(name);
  rmSync(folder, { recursive: true });
});

test("a token is made for somebody at the root and at a node that has joined, and goes alone to standard output", async () => {
  for (const node of ["n1", "n2"]) {
    const made = await at(
      node,
      "token",
      "create",
      "--sub",
      "alice",
      "--service",
      "products",
      "--service",
      "graphql",
    );
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
    assert.match(
      made.stderr,
      /speaks for alice at products, graphql, for 5 min 0 s\. Its id is [0-9a-f]{32}\./,
    );
    assert.ok(!made.stderr.includes(made.stdout.trim()));
    const read = await verified(made.stdout.trim());
    assert.ok(read.kind === "tokens");
    const { sub, services, aud, iat, exp, cnf } = read.claims;
    assert.deepEqual(
      [sub, services, aud, exp - iat, cnf],
      ["alice", ["products", "graphql"], domain, 300, undefined],
    );
  }
});

test("a token is bound to a certificate, and meant for whom it says", async () => {
  for (const node of ["n1", "n2"]) {
    const bound = await at(
      node,
      "token",
      "create",
      "--sub",
      "alice",
      "--service",
      "*",
      "--bind",
      "alice.pem",
    );
    assert.equal((await verified(bound.stdout.trim(), thumbprint)).kind, "tokens", bound.stderr);
    assert.deepEqual(await verified(bound.stdout.trim()), { kind: "refused", code: "token_binding" });
    const other = await at(
      node,
      "token",
      "create",
      "--sub",
      "ci",
      "--service",
      "*",
      "--audience",
      "billing.example",
    );
    assert.deepEqual(await verified(other.stdout.trim()), { kind: "refused", code: "token_audience" });
  }
});

test("what cannot be is refused with what to do", async () => {
  const refused = async (code: number, words: RegExp, ...args: string[]) => {
    const result = await at("n2", "token", "create", ...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, words);
    assert.equal(result.stdout, "");
  };
  const products = ["--service", "products"];
  await refused(2, /--sub NAME and --service NAME/);
  await refused(2, /--node NAME alone/, "--sub", "alice", "--node", "n3", ...products);
  await refused(2, /--service is missing/, "--sub", "alice");
  await refused(2, /--sub .* is not a name such as alice/, "--sub", "apikey:ci", ...products);
  await refused(2, /--sub/, "--sub", `spiffe://${domain}/node/n1/envoy`, ...products);
  await refused(2, /--bind .* is no certificate/, "--sub", "alice", ...products, "--bind", "n1.json");
  await refused(2, /--ttl/, "--sub", "alice", ...products, "--ttl", "0s");
  await refused(4, /60 minutes at most/, "--sub", "alice", ...products, "--ttl", "2h");
  const atRoot = await at("n1", "token", "create", "--sub", "alice", ...products, "--ttl", "2h");
  assert.equal(atRoot.code, 4, atRoot.stderr);
});

test("inspect says what a token says, step by step, and shows neither it nor its signature", async () => {
  const token = (
    await at("n1", "token", "create", "--sub", "alice", "--service", "products", "--bind", "alice.pem")
  ).stdout.trim();
  const inspect = async (node: string, text: string, ...more: string[]) => {
    const answer = await at(node, "token", "inspect", "-", "-o", "json", ...more, `< ${text}\n`);
    assert.equal(answer.code, 0, answer.stderr);
    for (const part of [text, text.split(".")[2] ?? text]) assert.ok(!answer.stdout.includes(part));
    return JSON.parse(answer.stdout) as Decision;
  };
  for (const node of ["n1", "n2"]) {
    const good = await inspect(node, token, "--certificate", "alice.pem", "--service", "products");
    assert.equal(good.result, "good");
    assert.ok(
      good.steps.every(({ outcome }) => outcome.startsWith("yes")),
      JSON.stringify(good.steps),
    );
    assert.match(good.question, /alice at products/);
    const elsewhere = await inspect(node, token, "--certificate", "alice.pem", "--service", "reviews");
    assert.equal(elsewhere.result, "good, and does not cover reviews");
    assert.equal((await inspect(node, token)).result, "refused (token_binding)");
    const damaged = `${token.slice(0, -3)}${token.endsWith("AAA") ? "BBQ" : "AAA"}`;
    assert.match((await inspect(node, damaged)).result, /^refused \(token_(signature|malformed)\)$/);
    assert.equal((await inspect(node, "nonsense")).result, "refused (token_malformed)");
  }
  const shown = await at("n2", "token", "inspect", token, "--certificate", "alice.pem");
  assert.match(shown.stdout, /its issuer is believed: yes: https:\/\/acme\.catalyst\.internal/);
  assert.ok(!shown.stdout.includes(token.split(".")[2] ?? "?"));
  const join = (await at("n1", "token", "create", "--node", "n9", "-q")).stdout.trim();
  assert.equal((await at("n1", "token", "inspect", join)).code, 2);
});

test("a token is taken back at the root by itself or by its id, and nodes that have joined hear of it", async () => {
  const create = async () =>
    (await at("n2", "token", "create", "--sub", "alice", "--service", "products")).stdout.trim();
  const tokens = [await create(), await create()];
  const [first = "", second = ""] = tokens;
  const jti = JSON.parse(Buffer.from(second.split(".")[1] ?? "", "base64url").toString()).jti;
  assert.equal((await at("n1", "token", "revoke", "-", `< ${first}`)).code, 0);
  assert.equal((await at("n1", "token", "revoke", jti)).code, 0);
  for (const token of tokens) {
    for (let left = 200; (await verified(token)).kind === "tokens"; left--) {
      assert.ok(left > 0, "n2 has heard of it");
      await sleep(10);
    }
    assert.deepEqual(await verified(token), { kind: "refused", code: "token_revoked" });
  }
  const again = await at("n1", "token", "revoke", first);
  assert.equal(again.code, 0, "once more changes nothing");
  const elsewhere = await at("n2", "token", "revoke", jti);
  assert.equal(elsewhere.code, 2);
  assert.match(elsewhere.stderr, /ask at its root/);
  const strange = await at("n1", "token", "revoke", "a.b.c");
  assert.equal(strange.code, 2, strange.stderr);
});

test("while the root is away a node that has joined says so, and makes none", async () => {
  await stop("n1");
  const made = await at("n2", "token", "create", "--sub", "alice", "--service", "products");
  assert.deepEqual([made.code, made.stdout], [5, ""]);
  assert.match(made.stderr, /the root authority does not answer/);
});
