import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { hash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { FaultProxy } from "@catalyst/harness";
import { Nucleus, type Replication } from "@catalyst/sdk/star";
import { authSecret, type Ran, replicateByCommand, StarProcess } from "./stars.ts";

// Stars on gRPC for Go, which know what the first stars know and nothing else, with ours.

const sources = join(import.meta.dirname, "../interop/go-star");
const env = { ...process.env, GOFLAGS: "-mod=readonly", GOTOOLCHAIN: "local" };

/** Why the stars in Go are not built; false where they are. */
function reasonToSkip(): string | false {
  if (spawnSync("go", ["version"]).status !== 0) return "Go is not installed: the star in Go is not built";
  const { status, stderr } = spawnSync("go", ["list", "-deps", "-test", "./..."], { cwd: sources, env });
  return status === 0 ? false : `the modules of the star in Go are not to be had: ${stderr}`;
}
const skip = reasonToSkip();

const folder = mkdtempSync(join(tmpdir(), "go-star-"));
const [program, client] = [join(folder, "star"), join(folder, "client")];
after(() => rmSync(folder, { recursive: true }));

/** A source and a destination as small as they can be. */
const asSource = ["--calls", "Handshake,ScanDirectory,ReadHeader,CalculateHash,ReadStream"];
const asDestination = ["--calls", "Handshake,CalculateHash,ReplicateFile"];
const beforeReadStream = ["--calls", "Handshake,ScanDirectory,ReadHeader,CalculateHash"];

const first = (...flags: readonly string[]) => StarProcess.startFirst(program, ...flags);

async function replicate(order: Parameters<Nucleus["replicate"]>[0]): Promise<Replication> {
  await using nucleus = new Nucleus({ authSecret });
  return await nucleus.replicate(order);
}

function stands(star: StarProcess, path: string, content: Uint8Array): void {
  assert.ok(readFileSync(join(star.folder, path)).equals(content), `${path} is another file`);
}

function succeeded({ code, stderr }: Ran): void {
  assert.equal(code, 0, stderr);
}

describe("Stars in Go", { skip }, () => {
  before(async () => {
    const build = (...args: readonly string[]) => promisify(execFile)("go", args, { cwd: sources, env });
    await Promise.all([build("build", "-o", program, "."), build("test", "-c", "-o", client, ".")]);
  });

  describe("A client of gRPC for Go", () => {
    let star: StarProcess;
    before(async () => {
      star = await StarProcess.start();
    });
    after(() => star[Symbol.asyncDispose]());

    const asked = {
      "is given a session of its own for the star's token, and an answer for another one": "TestHandshake",
      "is UNAUTHENTICATED without a session, in every call that needs one": "TestSessions",
      "is told what is in a folder": "TestScanDirectory",
      "is given the first bytes of a file, up to 1 MiB": "TestReadHeader",
      "is given the BLAKE3 digest of a file and of a range": "TestCalculateHash",
      "reads a file in several messages by a token that it minted": "TestReadStream",
      "is denied what its token is not good for": "TestTokens",
      "is led out of the folder by nothing": "TestJail",
      "has a file fetched that is what it expects, and refused that is not": "TestReplicateFile",
      "is told that the star serves": "TestHealth",
      "finds the contract of the first stars by reflection": "TestReflection",
    };
    for (const [sentence, test] of Object.entries(asked)) {
      it(sentence, async () => {
        const where = { STAR_ADDRESS: `127.0.0.1:${star.port}`, STAR_FOLDER: star.folder };
        const { stdout } = await promisify(execFile)(client, ["-test.v", "-test.run", `^${test}$`], {
          env: { ...env, ...where, STAR_TOKEN: star.token, STAR_SECRET: authSecret },
        }).catch((error) => assert.fail(error.stdout));
        assert.match(stdout, new RegExp(`^--- PASS: ${test} `, "m"));
      });
    }
  });

  it("A file goes from a first star to ours, from ours to a first star, and between first stars", async () => {
    await using one = await first(...asSource);
    await using other = await first(...asDestination);
    await using ours = await StarProcess.start();
    const [theirs, own] = [one.put("file"), ours.put("own")];
    const named = { one, other, ours };
    const orders = [
      ["one:file", "ours:new/file", ours, theirs],
      ["ours:own", "other:new/own", other, own],
      ["one:file", "other:again", other, theirs],
    ] as const;
    for (const [from, to, star, content] of orders) {
      const ran = await replicateByCommand(named, [
        ...["--from", from, "--to", to],
        ...["--relay", "never", "--verify"],
      ]);
      succeeded(ran);
      assert.match(ran.stdout, new RegExp(`SHA-256 ${hash("sha256", content)}`));
      stands(star, to.slice(to.indexOf(":") + 1), content);
    }
  });

  it("A star that is named without a scheme is a source for a first star too", async () => {
    await using one = await first(...asSource);
    await using other = await first(...asDestination);
    const content = one.put("file");
    const star = { ...one.address, url: `127.0.0.1:${one.port}` };
    await replicate({ from: { star, path: "file" }, to: other.at("file"), relay: "never" });
    stands(other, "file", content);
  });

  it("A folder goes from a first star to ours, with its times, and from either to a first star", async () => {
    await using one = await first(...asSource);
    await using other = await first(...asDestination);
    await using ours = await StarProcess.start();
    mkdirSync(join(one.folder, "tree/below"), { recursive: true });
    const paths = ["tree/a", "tree/b", "tree/below/c"];
    const contents = paths.map((path, size) => one.put(path, randomBytes(size)));
    for (const [from, to, star] of [
      ["one:tree", "ours:tree", ours],
      ["ours:tree", "other:tree", other],
      ["one:tree", "other:again/tree", other],
    ] as const) {
      const flags = ["--from", from, "--to", to, "--recursive", "--preserve"];
      succeeded(await replicateByCommand({ one, other, ours }, flags));
      const folder = to.slice(to.indexOf(":") + 1, -"tree".length);
      for (const [at, path] of paths.entries())
        stands(star, `${folder}${path}`, contents[at] ?? assert.fail());
    }
    for (const path of paths) {
      const [had = 0, has] = [one, ours].map((star) => statSync(join(star.folder, path)).mtimeMs);
      assert.equal(has, Math.floor(had / 1_000) * 1_000);
    }
  });

  it("A first star that is killed in the middle sends the file from its beginning, and what stands is right", async () => {
    await using one = await first(...asSource, "--stall-after", "3000000");
    await using ours = await StarProcess.start();
    const content = one.put("file", randomBytes(8_000_000));
    const expectedChecksum = hash("sha256", content, "buffer");
    const order = { from: one.at("file"), to: ours.at("file"), expectedChecksum, relay: "never" as const };
    const broken = assert.rejects(replicate(order), { status: 14 });
    await untilPartHas(ours, 2_000_000);
    await one.kill();
    await broken;
    assert.ok(!existsSync(join(ours.folder, "file")), "half a file has the name");

    await one.launch("--stall-after", "-1");
    const { bytes } = await replicate({ ...order, resume: true });
    assert.equal(bytes, content.length);
    stands(ours, "file", content);
    assert.deepEqual(readdirSync(ours.folder), ["file"]);
  });

  it("A replication outlives that a first star is killed and started anew", async () => {
    await using one = await first(...asSource, "--stall-after", "3000000");
    await using ours = await StarProcess.start();
    const content = one.put("file", randomBytes(8_000_000));
    const done = replicate({ from: one.at("file"), to: ours.at("file"), relay: "never" });
    await untilPartHas(ours, 2_000_000);
    await one.kill();
    await one.launch("--stall-after", "-1");
    assert.equal((await done).bytes, content.length);
    stands(ours, "file", content);
  });

  it("A first star is one of several sources beside ours, and takes over where ours is lost", async () => {
    await using one = await first(...asSource);
    await using source = await StarProcess.start();
    await using ours = await StarProcess.start();
    const content = randomBytes(20_000_000);
    for (const star of [one, source]) star.put("file", content);
    const order = {
      ...{ from: source.at("file"), sources: [one.at("file")], relay: "never" as const },
      expectedChecksum: hash("sha256", content, "buffer"),
    };
    await replicate({ ...order, to: ours.at("both") });
    stands(ours, "both", content);
    const lost = replicate({ ...order, to: ours.at("one") });
    await untilPartHas(ours, 1);
    await source.kill();
    await lost;
    stands(ours, "one", content);
  });

  it("The Nucleus carries a file of a star without ReadStream, beyond the largest message, and says so", async () => {
    await using old = await first(...beforeReadStream);
    await using other = await first(...asDestination);
    await using ours = await StarProcess.start();
    const content = old.put("file", randomBytes(5_000_000));
    const named = { old, other, ours };
    for (const [name, star] of [
      ["ours", ours],
      ["other", other],
    ] as const) {
      const ran = await replicateByCommand(named, ["--from", "old:file", "--to", `${name}:file`]);
      succeeded(ran);
      assert.match(ran.stderr, /go through here: the source knows no ReadStream/);
      stands(star, "file", content);
      const refused = await replicateByCommand(named, [
        ...["--from", "old:file", "--to", `${name}:never`],
        ...["--relay", "never"],
      ]);
      assert.notEqual(refused.code, 0);
      assert.ok(!existsSync(join(star.folder, "never")));
    }
  });

  it("The Nucleus carries a file of a star that a first star does not reach, and says so", async () => {
    await using source = await StarProcess.start();
    await using other = await first(...asDestination);
    await using way = await FaultProxy.start(source.port);
    const content = source.put("file");
    const star = { ...source.address, url: `http://${way.address}` };
    way.refuse();
    await using nucleus = new Nucleus({ authSecret });
    const why: string[] = [];
    const onRelay = (reason: string) => {
      why.push(reason);
      way.forward(); // The Nucleus has a way of its own.
    };
    const { relayed } = await nucleus.replicate({
      from: { star, path: "file" },
      to: other.at("file"),
      onRelay,
    });
    assert.equal(relayed, content.length);
    assert.deepEqual(why, ["the destination does not reach the source"]);
    stands(other, "file", content);
  });

  it("A star without ReplicateFile is no destination, and the error says what to do", async () => {
    await using ours = await StarProcess.start();
    await using one = await first(...asSource);
    ours.put("file");
    const ran = await replicateByCommand({ ours, one }, ["--from", "ours:file", "--to", "one:file"]);
    assert.notEqual(ran.code, 0);
    assert.match(ran.stderr, /knows no ReplicateFile.*\(star_outdated\)/);
  });

  it("What a first star refuses is refused: another secret, a path that leads out, nothing there", async () => {
    await using one = await first(...asSource);
    await using ours = await StarProcess.start();
    one.put("file");
    await using guessing = new Nucleus({ authSecret: "guessed" });
    await assert.rejects(guessing.replicate({ from: one.at("file"), to: ours.at("file") }), { status: 7 });
    for (const [path, status] of [
      ["/etc/passwd", 7],
      ["../file", 7],
      ["nothing", 5],
    ] as const)
      await assert.rejects(replicate({ from: one.at(path), to: ours.at("file") }), { status });
    assert.deepEqual(readdirSync(ours.folder), []);
  });

  it("What a first star says in its answer alone is a failure, in its words", async () => {
    await using one = await first(...asSource);
    await using other = await first(...asDestination, "--text-only");
    await assert.rejects(replicate({ from: one.at("nothing"), to: other.at("file") }), /no such file/);
    const content = one.put("file");
    await replicate({ from: one.at("file"), to: other.at("file") });
    stands(other, "file", content);
  });

  it("A Nucleus whose session was ended by another caller's, as in first stars, begins another one", async () => {
    await using one = await first(...asSource);
    await using other = await first(...asDestination);
    const content = one.put("file");
    await using nucleus = new Nucleus({ authSecret });
    await using rival = new Nucleus({ authSecret });
    for (const each of [nucleus, rival, nucleus, rival])
      await each.replicate({ from: one.at("file"), to: other.at("file"), verify: true });
    stands(other, "file", content);
  });
});

/** Resolves when so many bytes of a file that is not whole have come to a star. */
async function untilPartHas(star: StarProcess, bytes: number): Promise<void> {
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; await sleep(5)) {
    const part = readdirSync(star.folder).find((name) => name.endsWith(".part"));
    if (part === undefined) continue;
    if ((statSync(join(star.folder, part), { throwIfNoEntry: false })?.size ?? 0) >= bytes) return;
  }
  assert.fail("the replication does not come on");
}
