import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeError } from "../errors.ts";
import { type Certificate, generatedCertificate, readAuthorities, readCertificate } from "./certificate.ts";
import { watchFiles } from "./watch-files.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-certificate-"));
after(() => rmSync(folder, { recursive: true }));

const invalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof NodeError && error.code === "certificate_invalid" && pattern.test(error.message);

function write(name: string, { certificate, privateKey }: Certificate) {
  const files = {
    certificateFile: join(folder, `${name}.crt`),
    privateKeyFile: join(folder, `${name}.key`),
  };
  writeFileSync(files.certificateFile, certificate);
  writeFileSync(files.privateKeyFile, privateKey);
  return files;
}

test("the node's own certificate is good for its domain and this machine, and is made once", async () => {
  const made = await generatedCertificate(join(folder, "a"), "acme.example.org");
  const parsed = new X509Certificate(made.certificate);
  assert.equal(parsed.checkHost("products.acme.example.org"), "*.acme.example.org");
  assert.equal(parsed.checkHost("other.org"), undefined);
  assert.equal(parsed.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(parsed.ca, false);
  assert.equal(statSync(join(folder, "a", "tls", "private-key.pem")).mode & 0o777, 0o600);
  assert.deepEqual(await generatedCertificate(join(folder, "a"), "acme.example.org"), made);
});

test("another domain, or a damaged file, gets a new certificate", async () => {
  const made = await generatedCertificate(join(folder, "b"), "acme.example.org");
  const other = await generatedCertificate(join(folder, "b"), "other.example.org");
  assert.notEqual(other.certificate, made.certificate);
  writeFileSync(join(folder, "b", "tls", "certificate.pem"), "garbage");
  const again = await generatedCertificate(join(folder, "b"), "other.example.org");
  assert.ok(new X509Certificate(again.certificate).checkHost("x.other.example.org"));
});

test("a pair that does not fit is refused by name", async () => {
  const one = await generatedCertificate(join(folder, "c"), "one.example.org");
  const two = await generatedCertificate(join(folder, "d"), "two.example.org");
  const files = write("mixed", { certificate: one.certificate, privateKey: two.privateKey });
  assert.throws(() => readCertificate(files), invalid(/mixed\.key is not the key of .*mixed\.crt/));
  writeFileSync(files.certificateFile, "nonsense");
  assert.throws(() => readCertificate(files), invalid(/mixed\.crt is not a PEM certificate/));
  assert.throws(
    () => readCertificate({ ...files, certificateFile: join(folder, "absent") }),
    invalid(/absent cannot be read/),
  );
});

test("a replaced pair is taken up once both files fit", async () => {
  const one = await generatedCertificate(join(folder, "e"), "one.example.org");
  const two = await generatedCertificate(join(folder, "f"), "two.example.org");
  const files = write("watched", one);
  const stop = new AbortController();
  const rejected: unknown[] = [];
  let taken: (certificate: Certificate) => void = () => undefined;
  const arrived = new Promise<Certificate>((resolve) => {
    taken = resolve;
  });
  const watching = watchFiles(
    [files.certificateFile, files.privateKeyFile],
    stop.signal,
    () => taken(readCertificate(files)),
    (error) => rejected.push(error),
    5,
  );
  writeFileSync(files.certificateFile, two.certificate);
  while (rejected.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  writeFileSync(files.privateKeyFile, two.privateKey);
  assert.deepEqual(await arrived, two);
  stop.abort();
  await watching;
});

test("authorities are read from one file, and a damaged one among them is refused by its place", async () => {
  const one = await generatedCertificate(join(folder, "g"), "one.example.org");
  const two = await generatedCertificate(join(folder, "h"), "two.example.org");
  const file = join(folder, "authorities.pem");
  writeFileSync(file, `a comment\n${one.certificate}another\n${two.certificate}`);
  assert.equal(readAuthorities(file), `${one.certificate}${two.certificate}`.replaceAll("\n\n", "\n"));
  writeFileSync(file, `${one.certificate}${two.certificate.replace("MII", "AAA")}`);
  assert.throws(() => readAuthorities(file), invalid(/certificate 2 of 2 is damaged/));
  writeFileSync(file, "nothing");
  assert.throws(() => readAuthorities(file), invalid(/holds no PEM certificate/));
});
