import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts, getByHost, httpService, NodeUnderTest } from "@catalyst/harness";
import { authContract } from "@catalyst/rpc";
import { askSocket, filesIn } from "./leaks.ts";

const hourMs = 3_600_000;

test("no token, API key or private key is in a log, an answer, a metric or Envoy's administration", async () => {
  await using web = await httpService("web", (_, response) => void response.end("ok"));
  const [tls = 0] = await freePorts(1);
  await using node = await NodeUnderTest.start({
    services: [web.declaration],
    flags: ["--auth-required", "--ingress-tls", `127.0.0.1:${tls}`, "--telemetry-log-level", "debug"],
  });
  using auth = await node.connect("auth", authContract);
  const { key, id } = await auth.call.createApiKey({ services: ["web"], ttlMs: hourMs });
  const other = await auth.call.createApiKey({ services: ["graphql"], ttlMs: hourMs });
  const minted = await auth.call.mint({ subject: `spiffe://${node.domain}/node/n1/test`, services: ["*"] });
  const answers: string[] = [];
  const host = `web.${node.domain}`;
  const ask = async (path: string, headers: Record<string, string>) => {
    const answer = await getByHost(node.ports.ingress, host, path, headers);
    if (answer.status !== 200) answers.push(JSON.stringify(answer));
    return answer.status;
  };
  assert.equal(await ask("/", { "x-api-key": key }), 200);
  assert.equal(await ask("/", { authorization: `Bearer ${minted.token}` }), 200);
  assert.equal(await ask("/", { "x-api-key": other.key }), 403);
  assert.equal(await ask(`/x?access_token=${key}`, {}), 401);
  assert.equal(await ask(`/a%2fb?access_token=${key}`, { authorization: `Bearer ${key}x` }), 400);
  await auth.call.revokeApiKey({ key: id });
  await node.until("it is revoked", 2_000, async () => (await ask("/", { "x-api-key": key })) === 401);
  assert(answers.length >= 4);

  const admin = join(node.dataDir, "run", "envoy-admin.sock");
  const pages = [
    "config_dump?include_eds",
    "stats",
    "stats/prometheus",
    "clusters",
    "certs",
    "listeners",
    "server_info",
  ];
  const told = await Promise.all(pages.map((page) => askSocket(admin, `/${page}`)));
  for (const page of told) assert(page.length > 20);
  assert.match(told[0] ?? "", /catalyst\.credentials/);
  const metrics = await fetch(`http://127.0.0.1:${node.ports.telemetry}/metrics`);
  const logs = filesIn(join(node.dataDir, "logs")).map((path) => readFileSync(path, "utf8"));
  assert(
    logs.some((log) => log.includes('"caller":"apikey:')),
    "the access log names the caller",
  );
  const statuses = [await auth.call.status(undefined), await node.mesh(), await node.status()];
  const all = [...answers, ...told, await metrics.text(), ...logs, node.output, JSON.stringify(statuses)];

  for (const secret of [key, other.key, minted.token, ...privateKeys(node.dataDir)]) {
    for (const part of secretParts(secret)) {
      for (const place of all)
        assert(!place.includes(part), `${part.slice(0, 8)}… in ${excerpt(place, part)}`);
    }
  }
});

test("administration, configuration and RPC are on sockets of the owner's; the node listens where it was told", async () => {
  await using node = await NodeUnderTest.start({ flags: ["--auth-required"] });
  const { ingress, egress, mesh, telemetry } = node.ports;
  const { details } = await node.status();
  const pids = [node.supervisorPid, ...details.children.flatMap(({ pid }) => pid ?? [])];
  assert.equal(pids.length, 6);
  const listening = pids.flatMap(listeningPorts).sort();
  const allowed = [ingress, egress, mesh, telemetry].map((port) => `127.0.0.1:${port}`).sort();
  assert.deepEqual([...new Set(listening)], allowed);
  const run = join(node.dataDir, "run");
  assert.equal(statSync(run).mode & 0o077, 0);
  const sockets = readdirSync(run).filter((name) => statSync(join(run, name)).isSocket());
  for (const wanted of [
    "envoy-admin.sock",
    "orchestrator-xds.sock",
    "auth.sock",
    "auth-jwks.sock",
    "gateway.sock",
  ]) {
    assert(sockets.includes(wanted), wanted);
  }
  for (const name of sockets) assert.equal(statSync(join(run, name)).mode & 0o077, 0, name);
});

/** Every private key that the node keeps, as its file has it. */
function privateKeys(dataDir: string): string[] {
  const kept = filesIn(dataDir)
    .filter((path) => !path.includes("/logs/") && statSync(path).size < 100_000)
    .map((path) => readFileSync(path, "latin1"))
    .flatMap((file) => file.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END/g) ?? []);
  assert(kept.length >= 3, `${kept.length} private keys`);
  return kept;
}

/** Parts of a secret, each enough to be a leak: a JWS's signature, the lines of a PEM. Its third holds the public key. */
function secretParts(secret: string): string[] {
  if (secret.startsWith("eyJ")) return [secret, secret.slice(secret.lastIndexOf(".") + 1)];
  return secret
    .split("\n")
    .filter((line) => /^[A-Za-z0-9+/=]{40,}\r?$/.test(line))
    .slice(0, 2);
}

function excerpt(place: string, part: string): string {
  const found = place.indexOf(part);
  return place.slice(Math.max(0, found - 200), found);
}

/** Where a process listens on TCP, by what Linux says of its sockets. */
function listeningPorts(pid: number): string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  return ["tcp", "tcp6", "udp", "udp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = ""]) => (state === "0A" || state === "07") && own.has(inode))
      .map(([, local = ""]) => address(local)),
  );
}

function address(local: string): string {
  const [host = "", port = ""] = local.split(":");
  const bytes = (host.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse();
  return `${bytes.length === 4 ? bytes.join(".") : host}:${Number.parseInt(port, 16)}`;
}
