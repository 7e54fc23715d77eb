import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cidOfTree, hashTree } from "@catalyst/wire";
import { ContentProcess } from "../../../test/content-process.ts";

const content = await ContentProcess.start();
after(() => content[Symbol.asyncDispose]());
const cidOf = (bytes: Uint8Array) => cidOfTree(hashTree(bytes)) as string;
type Put = { cid: string; name: string | null; file: string; sizeBytes: number; addedBytes: number };

const sizes = [0, 1, 16_384, 1_048_577];
for (const size of sizes) {
  test(`${size} bytes that are put come back the same, found by CID, by SHA-256 and by name`, async () => {
    const bytes = randomBytes(size);
    content.file(`in-${size}`, bytes);
    const [put] = await content.camJson<Put[]>("put", `in-${size}`, "--name", `size/${size}`);
    assert.equal(put?.cid, cidOf(bytes));
    assert.deepEqual([put?.sizeBytes, put?.addedBytes], [size, size]);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    for (const object of [put?.cid ?? "", `sha256:${sha256}`, `size/${size}`]) {
      const got = await content.holo(["cam", "get", object]);
      assert.deepEqual([got.code, got.stdout.equals(bytes), got.stderr], [0, true, ""], object);
    }
    const out = join(content.folder, `out-${size}`);
    const got = await content.camJson<{ verified: boolean }>("get", `size/${size}`, "--out", out);
    assert.equal(got.verified, true);
    assert.ok(readFileSync(out).equals(bytes));
  });
}

test("a pipe is stored as it comes, and -q prints nothing but its CID", async () => {
  const bytes = randomBytes(300_000);
  const { code, stdout, stderr } = await content.holo(["cam", "put", "-", "-q", "--name", "piped"], bytes);
  assert.deepEqual([code, stdout.toString(), stderr], [0, `${cidOf(bytes)}\n`, ""]);
});

test("what is put a second time adds no bytes, and other leaves make another CID", async () => {
  content.file("twice", randomBytes(100_000));
  const [first] = await content.camJson<Put[]>("put", "twice");
  const [second] = await content.camJson<Put[]>("put", "twice");
  assert.deepEqual([first?.addedBytes, second?.addedBytes], [100_000, 0]);
  const [other] = await content.camJson<Put[]>("put", "twice", "--leaf-size", "16KiB");
  assert.notEqual(other?.cid, first?.cid);
  assert.equal((await content.camJson<{ leafSize: number }>("stat", other?.cid ?? "")).leafSize, 16_384);
});

test("of what is put in pieces, those that are there already are not stored again, and it comes back whole", async () => {
  const common = randomBytes(2_000_000);
  content.file("c1", common);
  content.file("c2", Buffer.concat([Buffer.from("insertion"), common]));
  await content.cam("put", "c1", "--chunked");
  const [second] = await content.camJson<(Put & { chunks: number })[]>(
    "put",
    "c2",
    "--chunked",
    "--name",
    "c2",
  );
  assert.ok((second?.chunks ?? 0) > 2 && (second?.addedBytes ?? 0) < 1_000_000);
  const out = join(content.folder, "c2-out");
  const got = await content.camJson<{ verified: boolean }>("get", "c2", "--out", out);
  assert.equal(got.verified, true);
  assert.ok(readFileSync(out).equals(readFileSync(join(content.folder, "c2"))));
  assert.equal(await content.cam("get", "c2", "--range", "0-8"), "insertion");
  const manifest = await content.holo(["cam", "get", "c2", "--manifest"]);
  assert.equal(cidOfTree(hashTree(manifest.stdout), "cbor") as string, second?.cid);
  assert.match(
    await content.cam("stat", "c2"),
    /^file +2\.0 MB \(2000009 bytes\), of which this object is the manifest/m,
  );
});

test("-r puts each file of a folder under its path there, links and special files left out", async () => {
  content.file("album/one.txt", "one");
  content.file("album/sub/two.txt", "two");
  symlinkSync("one.txt", join(content.folder, "album/link.txt"));
  const { code, stderr } = await content.holo(["cam", "put", "-r", "album", "--prefix", "albums/"]);
  assert.equal(code, 0);
  assert.match(stderr, /^1 link or special file is left out/);
  const names = await content.camJson<{ name: string; sizeBytes: number }[]>("ls");
  assert.deepEqual(
    names.filter(({ name }) => name.startsWith("albums/")).map(({ name, sizeBytes }) => [name, sizeBytes]),
    [
      ["albums/one.txt", 3],
      ["albums/sub/two.txt", 3],
    ],
  );
  assert.equal(await content.cam("get", "albums/sub/two.txt"), "two");
});

test("what contradicts itself is refused before anything is stored", async () => {
  for (const [args, says] of [
    [["put", "album"], /album is a folder: -r/],
    [["put", "album/one.txt", "--leaf-size", "1KiB"], /Allowed choices are 16KiB/],
    [["get", "nothing", "--range", "9-3"], /first and the last byte/],
    [["link", "sha256:00", "nothing"], /looks like a digest/],
  ] as const) {
    const { code, stderr } = await content.holo(["cam", ...args]);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says);
  }
});

test("--range has the first and the last byte, as HTTP does", async () => {
  const bytes = await content.holo(["cam", "get", "size/1048577"]);
  const get = (range: string) => content.holo(["cam", "get", "size/1048577", "--range", range]);
  assert.deepEqual((await get("0-99")).stdout, bytes.stdout.subarray(0, 100));
  assert.deepEqual((await get("65535-65536")).stdout, bytes.stdout.subarray(65_535, 65_537));
  assert.deepEqual((await get("1048570-")).stdout, bytes.stdout.subarray(1_048_570));
  assert.deepEqual((await get("1048570-9999999")).stdout, bytes.stdout.subarray(1_048_570));
  assert.equal((await get("1048577-")).code, 2);
});

test("other bytes than were expected are not kept", async () => {
  content.file("other", "other bytes");
  const expected = cidOf(Buffer.from("expected"));
  const { code, stderr } = await content.holo(["cam", "put", "other", "--expected", expected]);
  assert.equal(code, 1);
  assert.match(stderr, /nothing was kept/);
  assert.equal((await content.holo(["cam", "stat", cidOf(Buffer.from("other bytes"))])).code, 3);
  assert.equal((await content.holo(["cam", "get", expected])).code, 3);
});

test("a file that is there is replaced with --force alone, and nothing else is written over", async () => {
  const out = content.file("mine", "mine");
  const refused = await content.holo(["cam", "get", "size/1", "--out", out]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--force/);
  assert.equal(readFileSync(out, "utf8"), "mine");
  await content.cam("get", "size/1", "--out", out, "--force");
  assert.equal(statSync(out).size, 1);
  assert.equal((await content.holo(["cam", "get", "size/1", "--out", content.folder, "--force"])).code, 2);
  assert.equal((await content.holo(["cam", "get", "nothing", "--out", "new"])).code, 3);
  assert.ok(!existsSync(join(content.folder, "new")));
});

test("a name is taken over; what has none is collected, and its bytes are free", async () => {
  content.file("old", randomBytes(70_000));
  content.file("new", randomBytes(70_000));
  const [old] = await content.camJson<Put[]>("put", "old", "--name", "current");
  const [next] = await content.camJson<Put[]>("put", "new");
  const linked = await content.camJson<{ previous: string }>("link", "current", next?.cid ?? "");
  assert.equal(linked.previous, old?.cid);
  assert.match(await content.cam("stat", old?.cid ?? ""), /gc removes it/);
  const usedBefore = await used("default");
  await content.cam("gc", "--grace", "0s");
  assert.equal((await content.holo(["cam", "stat", old?.cid ?? ""])).code, 3);
  assert.equal((await content.camJson<Put>("stat", "current")).cid, next?.cid);
  await content.cam("unlink", "current");
  assert.match(await content.cam("gc", "--grace", "0s"), /^removed 1 object, 70\.0 kB freed/);
  assert.ok((await used("default")) <= usedBefore - 70_000);
});

async function used(namespace: string): Promise<number> {
  const usages = await content.camJson<{ namespace: string; usedBytes: number }[]>("ls", "--namespaces");
  return usages.find((usage) => usage.namespace === namespace)?.usedBytes ?? 0;
}

test("a pin keeps an object that has no name, until it is unpinned or its time is over", async () => {
  content.file("pinned", randomBytes(1_000));
  const [put] = await content.camJson<Put[]>("put", "pinned", "--pin", "hot");
  const cid = put?.cid ?? "";
  await content.cam("gc", "--grace", "0s");
  const { pins } = await content.camJson<{ pins: { class: string; until: string | null }[] }>("stat", cid);
  assert.deepEqual(pins, [{ namespace: "default", scope: "default", class: "hot", until: null }]);
  const pinned = await content.camJson<{ until: string }>("pin", cid, "--scope", "backup", "--ttl", "12h");
  assert.ok(Math.abs(Date.parse(pinned.until) - Date.now() - 43_200_000) < 60_000);
  await content.cam("unpin", cid);
  await content.cam("unpin", cid, "--scope", "backup");
  assert.equal((await content.holo(["cam", "unpin", cid])).code, 3);
  await content.cam("gc", "--grace", "0s");
  assert.equal((await content.holo(["cam", "get", cid])).code, 3);
});

test("a namespace may hold no more than its quota, and names within it are its own", async () => {
  assert.match(await content.cam("quota", "small", "2kB"), /small holds 0 B of 2\.0 kB/);
  content.file("s1", randomBytes(1_500));
  content.file("s2", randomBytes(1_500));
  await content.cam("put", "s1", "--namespace", "small", "--name", "s");
  const { code, stdout, stderr } = await content.holo([
    "cam",
    "put",
    "s2",
    "--namespace",
    "small",
    "--name",
    "t",
  ]);
  assert.deepEqual([code, stdout.toString()], [4, ""]);
  assert.match(stderr, /quota/);
  assert.equal((await content.holo(["cam", "get", "s"])).code, 3);
  assert.match(await content.cam("quota", "small", "none"), /without a limit/);
  await content.cam("put", "s2", "--namespace", "small", "--name", "t");
});

test("all objects are listed, as a table, as JSON and a line each", async () => {
  const all = await content.camJson<{ cid: string }[]>("ls", "--objects");
  const lines = (await content.cam("ls", "--objects", "-o", "jsonl")).trim().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { cid: string }).cid),
    all.map(({ cid }) => cid),
  );
  const table = (await content.cam("ls", "--objects")).trim().split("\n");
  assert.equal(table.length, all.length + 1);
  assert.match(table[1] ?? "", new RegExp(`^${all[0]?.cid} +[0-9.]+ k?M?B +20\\d\\d-`));
});

test("of several files, those that were stored before one failed are told", async () => {
  // Eight are on their way at once: the last one begins when one of them is stored.
  const good = Array.from({ length: 8 }, (_, at) => `g${at}`);
  for (const name of good) content.file(name, name);
  content.file("bad", randomBytes(5_000));
  await content.cam("quota", "tight", "1kB");
  const { code, stdout, stderr } = await content.holo([
    ...["cam", "put", ...good, "bad", "--namespace", "tight"],
    ...["--pin", "warm", "-o", "json"],
  ]);
  assert.equal(code, 4);
  assert.match(stderr, /error bad: .*quota/);
  const told = (JSON.parse(stdout.toString()) as Put[]).map(({ file }) => file);
  assert.ok(told.length > 0 && told.every((file) => good.includes(file)), told.join());
});

test("a job that is not waited for is found by its number", async () => {
  const jobId = (await content.cam("gc", "--detach")).trim();
  await content.cam("jobs", jobId, "--wait");
  const jobs = await content.camJson<{ jobId: string; state: string }[]>("jobs");
  assert.equal(jobs.find((job) => job.jobId === jobId)?.state, "done");
  assert.equal((await content.holo(["cam", "jobs", "00000000"])).code, 3);
});

test("one flipped bit is named to the leaf, never given, and repaired from where the object is placed", async () => {
  const bytes = randomBytes(400_000);
  content.file("precious", bytes);
  const cid = (await content.cam("put", "precious", "--name", "precious", "-q")).trim();
  await content.cam("place", "precious", "--scheme", "2+1");
  assert.match(await content.cam("verify", "precious"), /is intact: 400 kB read/);
  const data = content.filesIn(join(content.dataDir, "content")).find((file) => holds(file, bytes));
  assert.ok(data !== undefined);
  flip(data, 70_000);

  const verified = await content.holo(["cam", "verify", "precious"]);
  assert.equal(verified.code, 1);
  assert.match(verified.stdout.toString(), new RegExp(`${cid} {2}leaf 1 of its data`));
  const out = join(content.folder, "precious-out");
  const got = await content.holo(["cam", "get", "precious", "--out", out]);
  assert.equal(got.code, 1);
  assert.match(got.stderr, /damaged/);
  assert.ok(!existsSync(out));
  assert.deepEqual(
    readdirSync(content.folder).filter((name) => name.endsWith(".part")),
    [],
  );
  assert.match(await content.cam("repair", "precious"), /is repaired/);
  assert.ok((await content.holo(["cam", "get", "precious"])).stdout.equals(bytes));
});

test("a shard that is damaged is named with its device, and written anew", async () => {
  const shard = content.filesIn(content.devices[0] ?? "").find((file) => statSync(file).size > 100_000);
  assert.ok(shard !== undefined);
  const before = readFileSync(shard);
  flip(shard, 50_000);
  const verified = await content.holo(["cam", "verify", "precious"]);
  assert.equal(verified.code, 1);
  assert.match(verified.stdout.toString(), /damaged .*d1/);
  assert.match(verified.stderr, /1 shard not intact/);
  await content.cam("repair", "precious");
  assert.ok(readFileSync(shard).equals(before));
});

test("scrub names what it finds, repairs what is placed, and says so with its exit code", async () => {
  content.file("unplaced", randomBytes(200_000));
  const cid = (await content.cam("put", "unplaced", "--name", "unplaced", "-q")).trim();
  assert.match(await content.cam("scrub", "--rate", "1GB/s"), /no damage/);
  const bytes = readFileSync(join(content.folder, "unplaced"));
  const data = content.filesIn(join(content.dataDir, "content")).find((file) => holds(file, bytes));
  assert.ok(data !== undefined);
  flip(data, 199_999);
  const found = await content.holo(["cam", "scrub", "--rate", "1GB/s", "-o", "json"]);
  assert.equal(found.code, 1);
  const { result } = JSON.parse(found.stdout.toString()) as { result: { damage: object[] } };
  assert.deepEqual(result.damage, [{ cid, part: "data", firstLeaf: 3, leaves: 1 }]);
  const repaired = await content.holo(["cam", "repair", "unplaced"]);
  assert.equal(repaired.code, 1);
  assert.match(repaired.stderr, /put it again/);
  assert.match(await content.cam("ls", "--objects"), new RegExp(`${cid} .* damaged`));
});

function holds(file: string, bytes: Uint8Array): boolean {
  return statSync(file).size === bytes.length && readFileSync(file).equals(bytes);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

test("Ctrl-C cancels a job, and a file that is only begun is removed", async () => {
  const scrub = content.begin(["cam", "scrub", "--rate", "1kB/s"]);
  await until("it runs", async () =>
    (await jobs()).some(({ kind, state }) => kind === "scrub" && state === "running"),
  );
  scrub.child.kill("SIGINT");
  assert.equal((await scrub.ended).code, 128 + 2);
  assert.match((await scrub.ended).stderr, /is cancelled; what it had done stays done/);
  assert.ok((await jobs()).every(({ state }) => state !== "running"));

  const parts = () => readdirSync(content.folder).filter((name) => name.endsWith(".part"));
  content.signal("SIGSTOP");
  const get = content.begin(["cam", "get", "size/1048577", "--out", "never"]);
  await until("it begins", () => parts().length === 1);
  get.child.kill("SIGINT");
  assert.equal((await get.ended).code, 128 + 2);
  content.signal("SIGCONT");
  assert.deepEqual([parts(), existsSync(join(content.folder, "never"))], [[], false]);
});

async function jobs(): Promise<readonly { kind: string; state: string }[]> {
  return content.camJson("jobs");
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not within 20 s: ${what}`);
    await sleep(50);
  }
}

test("whatever a process gives for an object that is not it, is caught before it has its name", async () => {
  const dataDir = join(content.folder, "liar");
  mkdirSync(join(dataDir, "run"), { recursive: true });
  const right = Buffer.from("the right bytes");
  const [cid, other] = [cidOf(right), cidOf(Buffer.from("others"))];
  let answer = { etag: cid, body: right };
  const liar = createServer((_request, response) => {
    response
      .writeHead(200, { etag: `"${answer.etag}"`, "content-length": answer.body.length })
      .end(answer.body);
  });
  await new Promise<void>((resolve) => liar.listen(join(dataDir, "run", "content.sock"), resolve));
  const get = (object: string) =>
    content.holo(["cam", "get", object, "--out", "lie", "--force", "--node-data-dir", dataDir]);
  try {
    assert.equal((await get(cid)).code, 0);
    rmSync(join(content.folder, "lie"));
    const sha256 = createHash("sha256").update(right).digest("hex");
    for (const [object, etag, body] of [
      [cid, cid, "the wrong bytes"],
      ["name", cid, "the wrong bytes"],
      [cid, other, "others"],
      [`sha256:${sha256}`, other, "others"],
    ] as const) {
      answer = { etag, body: Buffer.from(body) };
      const got = await get(object);
      assert.equal(got.code, 1, object);
      assert.match(got.stderr, /is not what its CID says/);
      assert.ok(!existsSync(join(content.folder, "lie")));
    }
  } finally {
    liar.close();
  }
});

test("where nobody listens, it is told how to start who would", async () => {
  for (const args of [["ls"], ["put", "in-1"], ["get", "size/1"], ["gc"]]) {
    const { code, stderr } = await content.holo(["cam", ...args, "--node-data-dir", "elsewhere"]);
    assert.equal(code, 5, stderr);
    assert.match(stderr, /`catalyst up` or `catalyst content`/);
  }
});
