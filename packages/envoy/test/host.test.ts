import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { envoyMissing, startEnvoy } from "./envoy-under-test.ts";
import { type Answer, ask, echoOf, errorOf, startUpstream } from "./upstream.ts";

const domain = "acme.catalyst.internal";
const anyPort = { host: "127.0.0.1", port: 0 };
const timeoutMs = 5_000;

const label = fc.constantFrom(
  "files",
  "FILES",
  "graphql",
  "Graphql",
  "node",
  "mixed-case",
  "none",
  "x",
  "-",
  "",
);
const ending = fc.constantFrom(
  "",
  ".",
  ":80",
  ":10000",
  ".:80",
  ":",
  ":0",
  ":00080",
  ":80:80",
  ":evil.example",
  ":-1",
);
const wellFormed = fc.tuple(label, fc.constantFrom(".", "", ":."), fc.constant(domain), ending);
const piece = fc.constantFrom(
  ...[
    "files",
    "node",
    "FILES",
    ".",
    ":",
    ":80",
    domain,
    `.${domain}`,
    `files.${domain}`,
    "ACME.catalyst.internal",
  ],
  ...[
    "[::1]",
    "127.0.0.1",
    "xn--p1ai",
    "%2e",
    "*",
    "a".repeat(300),
    "'",
    '"',
    "\\",
    "catalyst.internal",
    "_",
    "~",
  ],
);
/** Hosts as clients may write them, most of them near to those that are served. */
const anyHost = fc.oneof(
  { weight: 3, arbitrary: wellFormed.map((parts) => parts.join("")) },
  { weight: 2, arbitrary: fc.array(piece, { maxLength: 5 }).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.string({ maxLength: 40 }).map((text) => text.replaceAll(/[^!-~]/g, "")) },
);

/** Who serves a Host: its name is one label and the domain in letters of any case, a dot and a port may follow. */
function servedBy(host: string): string | undefined {
  return /^(files|graphql)\.acme\.catalyst\.internal\.?(?::[0-9]+)?$/i.exec(host)?.[1]?.toLowerCase();
}

test("a Host reaches the service whose name it is, and no other Host reaches any", {
  skip: envoyMissing,
}, async () => {
  await using files = await startUpstream(anyPort);
  await using envoy = await startEnvoy({
    services: [{ name: "files", protocol: "http", url: files.origin, timeoutMs }],
  });
  assert("socketPath" in envoy.mesh.gateway);
  await using graphql = await startUpstream({ path: envoy.mesh.gateway.socketPath });
  const { ingress, egress } = envoy.mesh.listen;
  const refusals = ["HOST_NOT_FOUND", "REQUEST_REFUSED", ""];
  const check = async (host: string, port: number, codes: readonly string[]) => {
    const before = { files: files.requests(), graphql: graphql.requests() };
    const answer = await ask(port, { host, path: "/x" });
    const wanted = servedBy(host);
    assert.equal(files.requests() - before.files, wanted === "files" ? 1 : 0, answer.body);
    assert.equal(graphql.requests() - before.graphql, wanted === "graphql" ? 1 : 0, answer.body);
    if (wanted !== undefined) assert.equal(echoOf(answer).url, "/x");
    else assert(codes.includes(codeOf(answer)), `${answer.status} ${answer.body}`);
  };
  const property = fc.asyncProperty(anyHost, async (host) => {
    await check(host, ingress.port, [...refusals, "PATH_NOT_FOUND"]);
    await check(host, egress.port, refusals);
  });
  await fc.assert(property, { numRuns: 400 });
});

test("Hosts of the longest domain are found too", { skip: envoyMissing }, async () => {
  const long = `${"abcdefghi.".repeat(19)}abcdefghij`;
  await using files = await startUpstream(anyPort);
  await using envoy = await startEnvoy({
    mesh: { domain: long },
    services: [{ name: "files", protocol: "http", url: files.origin, timeoutMs }],
  });
  for (const host of [`files.${long}`, `files.${long}:80`, `FILES.${long}`]) {
    assert.equal((await ask(envoy.mesh.listen.ingress.port, { host })).status, 200, host);
  }
});

/** The code of Envoy's answer; empty where it answered before there was a request. */
function codeOf(answer: Answer): string {
  return answer.body === "" ? "" : (errorOf(answer).extensions["code"] ?? "");
}
