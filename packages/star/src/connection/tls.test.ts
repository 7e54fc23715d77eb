import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { hash, randomBytes, X509Certificate } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { createLogger } from "@catalyst/telemetry";
import { Server } from "@grpc/grpc-js";
import { Nucleus } from "../nucleus/nucleus.ts";
import { StarClient } from "../nucleus/star-client.ts";
import { runStar, type StarOptions } from "../run.ts";
import { TestAuthority } from "../test-authority.ts";
import { mintTransferToken } from "../transfer-token.ts";
import { TlsIdentity } from "./credentials.ts";
import { listen } from "./listen.ts";
import type { TlsFiles } from "./tls-files.ts";

/** A star of this process, over TLS where it is given a certificate; `at` is with which scheme it is met. */
async function started(t: TestContext, options: Pick<StarOptions, "tls" | "sourceAuthoritiesFile"> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-star-"));
  const star = await runStar(
    {
      ...{ bind: "127.0.0.1", port: 0, token: "star", authSecret: "shared", version: "test" },
      ...{ allow: [folder], ...options },
    },
    createLogger({ process: "star", level: "silent" }),
  );
  t.after(async () => {
    await star[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const at = (path: string, scheme = options.tls === undefined ? "http" : "https") => ({
    star: { url: `${scheme}://127.0.0.1:${star.port}`, token: "star" },
    path,
  });
  return { folder, port: star.port, at };
}

function nucleus(t: TestContext, tls?: TlsFiles): Nucleus {
  const made = new Nucleus({ authSecret: "shared", ...(tls === undefined ? {} : { tls }) });
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

function put({ folder }: { readonly folder: string }): string {
  const bytes = randomBytes(3_000_000);
  writeFileSync(join(folder, "file"), bytes);
  return hash("sha256", bytes);
}

test("A file goes from star to star over TLS, commanded over TLS by who knows their authority", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const tls = await authority.certify("star");
  const a = await started(t, { tls });
  const b = await started(t, { tls, sourceAuthoritiesFile: authoritiesFile });
  const checksum = put(a);
  let asked = 0;
  const count = () => {
    asked += 1;
  };
  subscribe("http.server.request.start", count);
  const done = await nucleus(t, { authoritiesFile }).replicate({
    from: a.at("file"),
    to: b.at("file"),
    verify: true,
  });
  unsubscribe("http.server.request.start", count);
  assert.deepEqual(done, { bytes: 3_000_000, resumed: 0, checksum, relayed: 0 });
  assert.equal(asked, 1, "it is large enough to go by HTTPS");
});

test("Stars that ask their callers for certificates show their own to each other, and the Nucleus its own to both", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const stars = [];
  for (const name of ["a", "b"])
    stars.push(await started(t, { tls: { ...(await authority.certify(name)), authoritiesFile } }));
  const [a, b] = stars as [(typeof stars)[0], (typeof stars)[0]];
  const checksum = put(a);
  const order = { from: a.at("file"), to: b.at("file") };
  const known = nucleus(t, { ...(await authority.certify("nucleus")), authoritiesFile });
  assert.equal((await known.replicate(order)).checksum, checksum);
  await assert.rejects(nucleus(t, { authoritiesFile }).replicate(order), { code: "certificate_wanted" });
  const stranger = await (await TestAuthority.create(t, "other")).certify("nucleus");
  await assert.rejects(nucleus(t, { ...stranger, authoritiesFile }).replicate(order), {
    code: "certificate_wanted",
  });
});

test("A file is read by HTTPS too, by whom the star knows", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const star = await started(t, { tls: { ...(await authority.certify("star")), authoritiesFile } });
  put(star);
  const { certificateFile, privateKeyFile } = await authority.certify("reader");
  const shown = { cert: readFileSync(certificateFile), key: readFileSync(privateKeyFile) };
  const read = (tls: object) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: star.port, path: "/file?path=file", agent: false };
      const headers = { authorization: `Bearer ${mintTransferToken("shared", "file")}` };
      get({ ...options, headers, ca: readFileSync(authoritiesFile), ...tls }, (response) => {
        resolve(response.resume().statusCode);
      }).on("error", reject);
    });
  assert.equal(await read(shown), 200);
  await assert.rejects(read({}));
});

test("A source that asks for a certificate refuses a destination that has none, which says so", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const a = await started(t, { tls: { ...(await authority.certify("a")), authoritiesFile } });
  const b = await started(t, { sourceAuthoritiesFile: authoritiesFile });
  put(a);
  await assert.rejects(nucleus(t).replicate({ from: a.at("file"), to: b.at("file") }), {
    code: "certificate_wanted",
    message: /^https:/,
  });
});

test("A star of another authority, of another name, or whose certificate has expired is not believed, by Nucleus and destination alike", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const other = await TestAuthority.create(t, "other");
  const destination = await started(t, { sourceAuthoritiesFile: authoritiesFile });
  const cases = [
    [await other.certify("other"), "certificate_untrusted"],
    [await authority.certify("old", { lifeMs: -1_000 }), "certificate_untrusted"],
    [await authority.certify("elsewhere", { address: "star.example" }), "certificate_mismatch"],
  ] as const;
  for (const [tls, code] of cases) {
    const star = await started(t, { tls });
    put(star);
    const of = nucleus(t, { authoritiesFile });
    for (const order of [
      { from: destination.at("file"), to: star.at("file") },
      { from: star.at("file"), to: destination.at("file") },
    ])
      await assert.rejects(of.replicate(order), { code, message: new RegExp(`^${star.at("").star.url}: `) });
  }
});

test("The authorities of one star are believed for that star, in place of those of the Nucleus", async (t) => {
  const [ours, theirs] = [await TestAuthority.create(t), await TestAuthority.create(t, "theirs")];
  const a = await started(t, { tls: await theirs.certify("a") });
  const b = await started(t, { tls: await ours.certify("b"), sourceAuthoritiesFile: theirs.authoritiesFile });
  put(a);
  const of = nucleus(t, { authoritiesFile: ours.authoritiesFile });
  const named = (authoritiesFile?: string) => ({ ...a.at("file").star, authoritiesFile });
  await of.replicate({
    from: { star: named(theirs.authoritiesFile), path: "file" },
    to: b.at("file"),
    verify: true,
  });
  await assert.rejects(of.star(named()).greet(), { code: "certificate_untrusted" });
});

test("Who meets a star in the wrong way, plain text or TLS, is told which is the right one", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const secure = await started(t, { tls: await authority.certify("a") });
  const plain = await started(t, { sourceAuthoritiesFile: authoritiesFile });
  put(secure);
  put(plain);
  const of = nucleus(t, { authoritiesFile });
  const cases = [
    [plain.at("file"), secure.at("x", "http"), "tls_wanted", /write https:/],
    [secure.at("file", "http"), plain.at("x"), "tls_wanted", /write https:/],
    [plain.at("file"), plain.at("x", "https"), "tls_missing", /write http:/],
    [plain.at("file", "https"), plain.at("x"), "tls_missing", /write http:/],
  ] as const;
  for (const [from, to, code, message] of cases)
    await assert.rejects(of.replicate({ from, to }), { code, message });
});

test("What goes over TLS is carried by a Nucleus that has a certificate, over TLS, and by no other", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const a = await started(t, { tls: await authority.certify("a") });
  const b = await started(t, { sourceAuthoritiesFile: authoritiesFile });
  const checksum = put(a);
  const order = { from: a.at("file"), to: b.at("file"), relay: "always" } as const;
  const bare = nucleus(t, { authoritiesFile });
  await assert.rejects(bare.replicate(order), {
    code: "certificate_invalid",
    message: /not carried in plain text/,
  });
  const known = nucleus(t, { ...(await authority.certify("nucleus")), authoritiesFile });
  const done = await known.replicate(order);
  assert.deepEqual([done.checksum, done.relayed], [checksum, 3_000_000]);
});

/** The serial number of what a server shows. */
function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });
}

test("A certificate that is renewed on the disk is shown to whoever comes next, and half of one never", async (t) => {
  const authority = await TestAuthority.create(t);
  const first = await authority.certify("star");
  const options = { tls: first, lookEveryMs: 20 };
  const { port, stop } = await listen({ grpc: new Server() }, "127.0.0.1", 0, options);
  t.after(() => stop(0));
  const serial = ({ certificate }: { readonly certificate: string }) =>
    new X509Certificate(certificate).serialNumber;
  assert.equal(await shownBy(port), serial(first));
  writeFileSync(first.privateKeyFile, "half of a k");
  await sleep(100);
  assert.equal(await shownBy(port), serial(first));
  const second = await authority.certify("star");
  const deadline = performance.now() + 5_000;
  while ((await shownBy(port)) !== serial(second)) {
    assert.ok(performance.now() < deadline);
    await sleep(20);
  }
});

test("A renewed certificate that TLS does not take leaves the star as it was, and one at the start is said", async (t) => {
  const authority = await TestAuthority.create(t);
  const good = await authority.certify("star");
  const weak = weakCertificate(authority.authoritiesFile);
  await assert.rejects(listen({ grpc: new Server() }, "127.0.0.1", 0, { tls: weak }), {
    code: "certificate_invalid",
    message: /^TLS does not take/,
  });
  const { port, stop } = await listen({ grpc: new Server() }, "127.0.0.1", 0, { tls: good, lookEveryMs: 20 });
  t.after(() => stop(0));
  const before = await shownBy(port);
  copyFileSync(weak.privateKeyFile, good.privateKeyFile);
  copyFileSync(weak.certificateFile, good.certificateFile);
  await sleep(200);
  assert.equal(await shownBy(port), before);
});

/** Of a key that OpenSSL takes for too short. */
function weakCertificate(beside: string): {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
} {
  const [certificateFile, privateKeyFile] = [`${beside}.weak.pem`, `${beside}.weak.key`];
  const words =
    "req -x509 -newkey rsa:1024 -nodes -days 2 -subj /CN=weak -addext subjectAltName=IP:127.0.0.1";
  execFileSync("openssl", [...words.split(" "), "-keyout", privateKeyFile, "-out", certificateFile], {
    stdio: "ignore",
  });
  return { certificateFile, privateKeyFile };
}

test("A certificate that a caller renews is shown when it connects again", async (t) => {
  const authority = await TestAuthority.create(t);
  const { authoritiesFile } = authority;
  const star = await started(t, { tls: { ...(await authority.certify("star")), authoritiesFile } });
  const files = await authority.certify("nucleus", { lifeMs: -1_000 });
  const identity = new TlsIdentity({ ...files, authoritiesFile });
  const greet = async () => {
    using client = new StarClient(star.at("").star, identity);
    return await client.greet();
  };
  await assert.rejects(greet(), { code: "certificate_wanted" });
  await authority.certify("nucleus");
  assert.ok((await greet()).includes("ranges"));
});

test("Files of which no use can be made are named when they are given", async (t) => {
  const authority = await TestAuthority.create(t);
  const [one, other] = [await authority.certify("one"), await authority.certify("other")];
  const { certificateFile, privateKeyFile } = one;
  const cases: [TlsFiles, RegExp][] = [
    [{ certificateFile }, /together/],
    [{ authoritiesFile: "/none" }, /^\/none: there is no such file/],
    [{ authoritiesFile: privateKeyFile }, /no certificate, PEM/],
    [{ certificateFile, privateKeyFile: other.privateKeyFile }, /not the key of/],
    [{ certificateFile, privateKeyFile: certificateFile }, /no unencrypted private key/],
  ];
  for (const [tls, message] of cases)
    assert.throws(() => new Nucleus({ authSecret: "s", tls }), { code: "certificate_invalid", message });
  const tls = { authoritiesFile: authority.authoritiesFile };
  await assert.rejects(listen({ grpc: new Server() }, "127.0.0.1", 0, { tls }), {
    code: "certificate_invalid",
  });
});
