import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadConfig } from "@catalyst/config";
import { admit, IdentityFolder, readPeerCertificate, toPem } from "@catalyst/identity";
import { createTestOrganisation, selfSigned, type TestIdentity } from "@catalyst/identity/testing";
import { nodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { OwnIdentity } from "./own-identity.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-own-identity-"));
after(() => rmSync(folder, { recursive: true }));

const domain = "acme.catalyst.internal";
const acme = await createTestOrganisation(domain);
const globex = await createTestOrganisation("globex.catalyst.internal");
let made = 0;

const fileOf = (text: string): string => {
  const path = join(folder, `${made++}.pem`);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const pem = (der: Uint8Array) => toPem("CERTIFICATE", der);
const declared = (process: string, { cert, key }: TestIdentity) => {
  return { process, certificateFile: fileOf(cert), privateKeyFile: fileOf(key) };
};

function ownOf(identity: object, name = "n1") {
  const dataDir = join(folder, `data-${made++}`);
  mkdirSync(dataDir);
  const text = JSON.stringify({ node: { name, domain }, auth: { identity } });
  const loaded = loadConfig(nodeConfig, { file: { path: "c.json", text } });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return { own: new OwnIdentity(loaded.value, dataDir), kept: new IdentityFolder(paths.identity(dataDir)) };
}

const refused = (words: RegExp) => ({ name: "IdentityError", code: "certificate_unusable", message: words });

test("a certificate by path is used in place of the one that the auth process keeps", async () => {
  const [byPath, kept] = [await acme.issue("n1", "orchestrator"), await acme.issue("n1", "orchestrator")];
  const { own } = ownOf({ certificates: [declared("orchestrator", byPath)] });
  const found = own.process("orchestrator");
  assert.equal(found?.isConfigured, true);
  assert.equal(found?.certificateChain, byPath.cert);
  assert.notEqual(found?.certificateChain, kept.cert);
  assert.equal(own.process("envoy"), null);
});

test("a certificate by path that is another node's, another process's, or not of its key is refused by the option's name", async () => {
  const other = await acme.issue("n2", "orchestrator");
  const gateway = await acme.issue("n1", "gateway");
  const own = (identity: object) => () => ownOf({ certificates: [identity] }).own.process("orchestrator");
  assert.throws(
    own(declared("orchestrator", other)),
    refused(/certificates\[orchestrator\] is of orchestrator of n2/),
  );
  assert.throws(own(declared("orchestrator", gateway)), refused(/is of gateway of n1/));
  assert.throws(
    own(declared("orchestrator", { ...gateway, key: other.key })),
    refused(/private key beside it/),
  );
  const missing = {
    process: "orchestrator",
    certificateFile: "/nowhere.pem",
    privateKeyFile: "/nowhere.pem",
  };
  assert.throws(own(missing), refused(/certificates\[orchestrator\]: ENOENT/));
});

test("roots by path are good for the names of their domain alone", async () => {
  const { own } = ownOf({ roots: [{ domain: globex.domain, file: fileOf(pem(globex.root.certificate)) }] });
  const trust = own.trust() ?? assert.fail();
  const judge = async (peer: TestIdentity) => {
    const certificate = readPeerCertificate(
      peer.chain,
      trust.roots.map((root) => root.certificate),
    );
    const admission = admit({ certificate, protocol: "cp", now: Date.now() }, trust);
    return admission.kind === "refused" ? admission.code : "admitted";
  };
  assert.equal(await judge(await globex.issue("n1", "orchestrator")), "admitted");
  assert.equal(await judge(await acme.issue("n1", "orchestrator")), "domain_unknown");
});

test("nodes that signed their certificates themselves admit each other where these are pinned", async () => {
  const [one, two] = ["n1", "n2"].map((node) => selfSigned({ domain, node, process: "orchestrator" }));
  const [own, peer] = [await (one ?? assert.fail()), await (two ?? assert.fail())];
  const { own: identity } = ownOf({
    certificates: [declared("orchestrator", own)],
    pinnedFiles: [fileOf(peer.cert)],
  });
  assert.equal(identity.process("orchestrator")?.id.node, "n1");
  const trust = identity.trust() ?? assert.fail();
  const certificate = readPeerCertificate(peer.chain, []);
  assert.equal(admit({ certificate, protocol: "cp", now: Date.now() }, trust).kind, "admitted");
  const stranger = await selfSigned({ domain, node: "n2", process: "orchestrator" });
  const other = admit(
    { certificate: readPeerCertificate(stranger.chain, []), protocol: "cp", now: Date.now() },
    trust,
  );
  assert.equal(other.kind === "refused" && other.code, "root_foreign");
});

test("a file that is no root, or not self-signed, is refused by the option's name", async () => {
  const leaf = await acme.issue("n1", "orchestrator");
  const roots = ownOf({ roots: [{ domain, file: fileOf(leaf.cert) }] }).own;
  assert.throws(() => roots.trust(), refused(/auth\.identity\.roots\[acme/));
  const pinned = ownOf({ pinnedFiles: [fileOf(leaf.cert)] }).own;
  assert.throws(() => pinned.trust(), refused(/auth\.identity\.pinnedFiles/));
});

test("a node that was told nothing believes nobody", () => {
  assert.equal(ownOf({}).own.trust(), null);
});

test("the files are named that say what a process shows and whom it believes", async () => {
  const byPath = declared("orchestrator", await acme.issue("n1", "orchestrator"));
  const root = fileOf(pem(globex.root.certificate));
  const pin = fileOf((await selfSigned({ domain, node: "n4", process: "orchestrator" })).cert);
  const roots = [{ domain: globex.domain, file: root }];
  const { own, kept } = ownOf({ certificates: [byPath], roots, pinnedFiles: [pin] });
  const { certificateFile, privateKeyFile } = byPath;
  assert.deepEqual(own.files("orchestrator"), [certificateFile, privateKeyFile, kept.trustPath, root, pin]);
  assert.deepEqual(own.files("envoy"), [kept.pathOf("envoy"), kept.trustPath, root, pin]);
});
