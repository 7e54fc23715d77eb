import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseJoinToken } from "@catalyst/identity";
import { joinOrganisation } from "@catalyst/node";
import type { NodeIdentity } from "@catalyst/rpc";

// The commands against a root authority and a node that joins it, as a person would type them.

const folder = mkdtempSync(join(tmpdir(), "catalyst-identity-"));
const bin = join(import.meta.dirname, "../../bin/catalyst.js");
const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder } };
const domain = "acme.catalyst.internal";
const running: ChildProcess[] = [];

type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

function catalyst(...args: readonly string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** The auth process of a node of its own, when it has started. */
async function startAuth(name: string, auth: object = {}): Promise<void> {
  const node = { name, domain, dataDir: join(folder, name) };
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ node, auth, telemetry: { listen: "off" } }));
  const child = spawn(process.execPath, [bin, "auth", "--config", file], {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.push(child);
  let words = "";
  child.stderr?.on("data", (text) => (words += text));
  for (let left = 400; !words.includes("process started"); left--) {
    assert.ok(left > 0 && child.exitCode === null, words);
    await sleep(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const identityOf = async (name: string): Promise<NodeIdentity> =>
  JSON.parse((await catalyst("identity", "show", "--config", `${name}.json`, "-o", "json")).stdout);

before(async () => {
  await startAuth("n1", { authority: { listen: `127.0.0.1:${await freePort()}` } });
  const { stdout } = await catalyst("token", "create", "--node", "n2", "--config", "n1.json");
  await joinOrganisation(join(folder, "n2"), parseJoinToken(stdout.trim()));
  await startAuth("n2");
});

after(async () => {
  for (const child of running) {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  }
  rmSync(folder, { recursive: true });
});

test("the token alone goes to standard output, and how it is used to where people look", async () => {
  const { code, stdout, stderr } = await catalyst(
    "token",
    "create",
    "--node",
    "n7",
    "--ttl",
    "5m",
    "--config",
    "n1.json",
  );
  assert.equal(code, 0);
  assert.match(stdout, /^join1\.[\w-]+\n$/);
  assert.match(stderr, /becomes n7, once, within 5 min/);
  assert.ok(!stderr.includes(stdout.trim()));
  const quiet = await catalyst("token", "create", "--node", "n8", "--config", "n1.json", "-q");
  assert.equal(quiet.stderr, "");
});

test("a token is asked for by name, and refused with what to do", async () => {
  const refused = async (code: number, words: RegExp, ...args: string[]) => {
    const result = await catalyst("token", "create", ...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, words);
  };
  await refused(2, /--node NAME/, "--config", "n1.json");
  await refused(2, /--node/, "--node", "N 2", "--config", "n1.json");
  await refused(2, /catalyst identity revoke/, "--node", "n2", "--config", "n1.json");
  await refused(4, /a day at most/, "--node", "n9", "--ttl", "2d", "--config", "n1.json");
  await refused(2, /ask at its root, 127\.0\.0\.1/, "--node", "n9", "--config", "n2.json");
});

test("join tokens are listed without their secrets, and taken back by id, by node or by themselves", async () => {
  const create = async (node: string) =>
    (await catalyst("token", "create", "--node", node, "--config", "n1.json", "-q")).stdout.trim();
  const tokens = [await create("n20"), await create("n21"), await create("n21"), await create("n22")];
  const [first = "", , , last = ""] = tokens;
  const list = async () => {
    const { stdout } = await catalyst("token", "list", "--config", "n1.json", "-o", "json");
    for (const each of tokens)
      assert.ok(!stdout.includes(Buffer.from(parseJoinToken(each).secret).toString("hex")));
    const rows: { node: string; state: string; id: string }[] = JSON.parse(stdout);
    return rows.filter(({ node }) => node.startsWith("n2"));
  };
  const states = async () => (await list()).map(({ node, state }) => `${node} ${state}`);
  assert.deepEqual(await states(), ["n2 used", "n20 open", "n21 open", "n21 open", "n22 open"]);
  const revoke = (...args: string[]) => catalyst("token", "revoke", ...args, "--config", "n1.json");
  const { id } = (await list()).find(({ node }) => node === "n20") ?? { id: "" };
  assert.match((await revoke(id)).stdout, new RegExp(`^Join token ${id} for n20 is taken back$`, "m"));
  assert.equal((await revoke("n21")).stdout.trim().split("\n").length, 2);
  assert.equal((await revoke(last)).code, 0);
  assert.equal((await revoke(id)).code, 0, "once more changes nothing");
  assert.deepEqual(await states(), ["n2 used", "n20 revoked", "n21 revoked", "n21 revoked", "n22 revoked"]);
  const joining = joinOrganisation(join(folder, "late"), parseJoinToken(first));
  await assert.rejects(joining, { code: "enrolment_refused", message: /taken back.*\(token_revoked\)/ });
  const refused = async (code: number, words: RegExp, ...args: string[]) => {
    const result = await catalyst("token", "revoke", ...args);
    assert.deepEqual([result.code, words.test(result.stderr)], [code, true], result.stderr);
  };
  await refused(3, /there is no join token n99: `catalyst token list`/, "n99", "--config", "n1.json");
  await refused(4, /n2 has joined with it: .*identity revoke n2/, "n2", "--config", "n1.json");
  await refused(2, /no join token: a character is missing/, first.slice(0, -3), "--config", "n1.json");
  await refused(2, /ask at its root/, "n20", "--config", "n2.json");
  const { stdout } = await catalyst("token", "list", "--config", "n1.json");
  assert.match(stdout, /^NODE +STATE +EXPIRES +ID$/m);
  assert.match(stdout, /^n20 +revoked +\d{4}-/m);
});

test("who a node is shows at the node and at the root", async () => {
  const [root, member] = [await identityOf("n1"), await identityOf("n2")];
  assert.deepEqual([root.role, member.role], ["root", "member"]);
  assert.deepEqual(member.roots, root.roots);
  assert.deepEqual(member.authority, root.authority);
  const serials = ({ certificates }: Pick<NodeIdentity, "certificates">) =>
    certificates.map(({ serial }) => serial).sort();
  assert.deepEqual(serials(member), root.issued.map(({ serial }) => serial).sort());
  const { stdout } = await catalyst("identity", "show", "--config", "n2.json");
  assert.match(stdout, /n2\.acme\.catalyst\.internal, a node that has joined/);
  assert.match(stdout, /n2 +orchestrator +\d{4}-/);
});

test("a renewal gives new certificates", async () => {
  const before = await identityOf("n2");
  const { code } = await catalyst("identity", "renew", "--config", "n2.json");
  assert.equal(code, 0);
  const after = await identityOf("n2");
  const serials = before.certificates.map(({ serial }) => serial);
  assert.ok(after.certificates.every(({ serial }) => !serials.includes(serial)));
});

test("a node runs on the keys of its root, and has its tokens signed there", async () => {
  const { authContract, connectRpc, socketPath } = await import("@catalyst/rpc");
  using auth = await connectRpc(socketPath(join(folder, "n2"), "auth"), authContract);
  using root = await connectRpc(socketPath(join(folder, "n1"), "auth"), authContract);
  const own = `spiffe://${domain}/node/n2/gateway`;
  const { token } = await auth.call.mint({ subject: own, services: ["*"], ttlMs: 60_000 });
  assert.match(token, /^eyJ/);
  const foreign = { subject: `spiffe://${domain}/node/n1/gateway`, services: ["*"], ttlMs: 60_000 };
  await assert.rejects(auth.call.mint(foreign), { code: "invalid_request" });
  assert.deepEqual(
    (await auth.call.credentials(undefined)).issuers,
    (await root.call.credentials(undefined)).issuers,
  );
  await assert.rejects(auth.call.createApiKey({ services: ["*"], ttlMs: 60_000 }), {
    code: "authority_elsewhere",
  });
});

test("`up` with a token that is damaged, expired or for somebody else stops before it makes anything", async () => {
  const { stdout } = await catalyst("token", "create", "--node", "n5", "--config", "n1.json", "-q");
  const token = stdout.trim();
  const data = join(folder, "n5");
  const refused = async (code: number, words: RegExp, ...args: string[]) => {
    const result = await catalyst("up", "--node-data-dir", data, ...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, words);
    assert.ok(!result.stderr.includes(token.slice(6)));
    assert.ok(!existsSync(data));
  };
  await refused(2, /no join token: a character is missing/, "--join", token.slice(0, -2));
  await refused(2, /the token is for --node-name n5/, "--join", token, "--node-name", "n6");
  const root = await catalyst("up", "--node-data-dir", join(folder, "n1"), "--join", token);
  assert.equal(root.code, 2);
  assert.match(root.stderr, /has been a root of its own/);
});

test("a node signs a certificate for itself that its peers can pin, and overwrites none", async () => {
  const { readFileSync, statSync } = await import("node:fs");
  const { pinnedCertificate, readCertificates, readProcessIdentity } = await import("@catalyst/identity");
  const args = [
    "identity",
    "self-sign",
    "--node-name",
    "n4",
    "--node-domain",
    domain,
    "--out",
    "self",
    "--ttl",
    "30d",
  ];
  const { code, stdout } = await catalyst(...args);
  assert.equal(code, 0);
  const [certificate, key] = ["self.pem", "self.key.pem"].map((name) => join(folder, name));
  const text = readFileSync(certificate ?? "", "utf8");
  const [der = new Uint8Array()] = readCertificates(text);
  const { node, thumbprint } = pinnedCertificate(der);
  assert.deepEqual([node, thumbprint], ["n4", stdout.trim()]);
  assert.equal(statSync(key ?? "").mode & 0o777, 0o600);
  const { id } = readProcessIdentity(text + readFileSync(key ?? "", "utf8"));
  assert.deepEqual(id, { domain, node: "n4", process: "orchestrator" });
  assert.equal((await catalyst(...args)).code, 1);
});

test("a node that is revoked knows it within a second, and says what to do", async () => {
  const { code, stdout } = await catalyst("identity", "revoke", "n2", "--config", "n1.json");
  assert.equal(code, 0);
  assert.match(stdout, /^Node n2 is revoked since /);
  await sleep(1_000);
  assert.match((await identityOf("n2")).problem ?? "", /was revoked/);
  const renewed = await catalyst("identity", "renew", "--config", "n2.json");
  assert.equal(renewed.code, 4);
  assert.match(renewed.stderr, /join again with a new token/);
  assert.deepEqual((await identityOf("n1")).denied, [{ node: "n2", serial: null, until: null }]);
  const shown = await catalyst("identity", "show", "--config", "n1.json");
  assert.match(shown.stdout, /^n1 +orchestrator .* good +[0-9a-f]{32}$/m);
  assert.match(shown.stdout, /^n2 +orchestrator .* revoked +[0-9a-f]{32}$/m);
  assert.match(shown.stdout, /^Revoked: n2, until it joins again$/m);
  const unknown = await catalyst("identity", "revoke", "n9", "--config", "n1.json");
  assert.equal(unknown.code, 3);
});
