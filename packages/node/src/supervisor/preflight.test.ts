import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeError } from "../errors.ts";
import { bbrFault, checkAddresses, checkReadable, envoyVersion, findEnvoy, hostChecks } from "./preflight.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-preflight-"));
after(() => rmSync(folder, { recursive: true }));

function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const nothing = { configured: undefined, variable: undefined, path: "" };
const failsWith = (code: string, pattern: RegExp) => (error: unknown) =>
  error instanceof NodeError && error.code === code && pattern.test(error.message);

test("the configured Envoy goes before the variable's, and that before PATH", () => {
  mkdirSync(join(folder, "bin"));
  const [configured, variable, onPath] = ["one", "two", "bin/envoy"].map((name) => program(name, "true"));
  const sources = { configured, variable, path: join(folder, "bin") };
  assert.equal(findEnvoy(sources, "0.0.0"), configured);
  assert.equal(findEnvoy({ ...sources, configured: undefined }, "0.0.0"), variable);
  assert.equal(findEnvoy({ ...sources, configured: undefined, variable: undefined }, "0.0.0"), onPath);
});

test("a folder called envoy is no program", () => {
  const [earlier, later] = ["first", "second"].map((name) => join(folder, name));
  mkdirSync(join(earlier ?? "", "envoy"), { recursive: true });
  mkdirSync(later ?? "");
  const real = program("second/envoy", "true");
  assert.equal(findEnvoy({ ...nothing, path: `${earlier}:${later}` }, "0.0.0"), real);
  const named = { ...nothing, variable: join(earlier ?? "", "envoy") };
  assert.throws(
    () => findEnvoy(named, "0.0.0"),
    failsWith("envoy_missing", /CATALYST_ENVOY names .* no program/),
  );
});

test("an Envoy that is named and not there, or found nowhere, is an error that says what to do", () => {
  const absent = join(folder, "absent");
  assert.throws(
    () => findEnvoy({ ...nothing, configured: absent }, "1.40.0"),
    failsWith("envoy_missing", /mesh\.envoy\.path names .*absent.* correct or unset/),
  );
  assert.throws(
    () => findEnvoy({ ...nothing, path: folder }, "0.0.0"),
    failsWith("envoy_missing", /npm run setup/),
  );
});

test("a program that is no Envoy, or does not run here, is named with what it said", async () => {
  await assert.rejects(envoyVersion(program("talker", "echo hello")), failsWith("envoy_unusable", /hello/));
  await assert.rejects(envoyVersion(program("failer", "exit 3")), failsWith("envoy_unusable", /failer/));
  const real = program("real", 'echo "envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL"');
  assert.equal(await envoyVersion(real), "1.40.0");
});

test("all addresses that are taken are named together, each with its option", async () => {
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const [one = "", two = ""] = servers.map(
    (server) => `127.0.0.1:${(server.address() as { port: number }).port}`,
  );
  await assert.rejects(
    checkAddresses({ ingress: one, egress: two, other: "192.0.2.1:5" }),
    failsWith(
      "port_in_use",
      new RegExp(
        `${one} is in use: .* --ingress\\n${two} is in use: .* --egress\\n192.0.2.1:5 is not an address`,
      ),
    ),
  );
  for (const server of servers) server.close();
});

test("a file that the configuration names and that is not there is told with its option and its path", () => {
  checkReadable("a.path", undefined);
  checkReadable("a.path", folder);
  checkReadable("a.path", import.meta.filename);
  const absent = join(folder, "documents");
  assert.throws(
    () => checkReadable("a.path", absent),
    failsWith(
      "file_unreadable",
      new RegExp(`^a\\.path names ${absent}, which is not there: correct or unset it$`),
    ),
  );
});

test("a system that sends by BBR is well, and another one is told how to", () => {
  assert.equal(bbrFault({ available: "reno cubic bbr\n", current: "bbr\n" }), null);
  const cubic = bbrFault({ available: "reno bbr cubic\n", current: "cubic\n" });
  assert.equal(cubic?.outcome, "warning");
  assert.equal(cubic.detail, "the system sends by cubic");
  assert.match(cubic.hint, /^as root: `sysctl -w .*tcp_congestion_control=bbr`/);
  const unloaded = bbrFault({ available: "reno cubic\n", current: "reno\n" });
  assert.equal(unloaded?.detail, "the system sends by reno, and has not loaded BBR");
  assert.match(unloaded.hint, /^as root: `modprobe tcp_bbr`, then `sysctl /);
  assert.equal(bbrFault({ available: "bbr2 cubic", current: "bbr2" })?.outcome, "warning");
  assert.equal(bbrFault({ available: "", current: "" })?.outcome, "warning");
});

test("where a system says nothing of how it sends, nothing is said of it", () => {
  const hidden = () => {
    throw new Error("ENOENT");
  };
  assert.deepEqual(hostChecks(hidden), []);
  const [told] = hostChecks((path) => (path.includes("available") ? "reno cubic" : "cubic"));
  assert.deepEqual([told?.code, told?.outcome], ["host.bbr", "warning"]);
});
