import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { createSimulatedDisk, type SimulatedDisk, seededNumbers } from "@catalyst/durable/testing";
import { status } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import type { Replicated } from "../server/replicating.ts";
import type { SourceAddress } from "./source.ts";
import { type Fault, localHost, type TestHost, TestSource } from "./test-source.ts";
import { contentOf, replicateFrom, testBlockBytes, testReplicator } from "./test-target.ts";

/** Attempts that a case has at most; the last of them is without faults. */
const mostLives = 5;
const chunkBytes = 1_024;

/**
 * One case of a destination whose sources are killed, frozen, corrupt, change or vanish, and whose machine loses its power, each
 * at any step. After each life the file is right or what it was before, and in the end it is there. Resumed bytes are counted.
 */
export async function tortureReplication(seed: number): Promise<void> {
  await using host = localHost();
  const torture = await Torture.start(seed, host);
  for (let life = 1; life < mostLives; life++) {
    if (await torture.live()) break;
  }
  await torture.end();
}

class Torture {
  readonly #random: () => number;
  readonly #host: TestHost;
  readonly #sources: readonly TestSource[];
  readonly #addresses: readonly SourceAddress[];
  /** Whether the caller knows what the file has to be. */
  readonly #isChecked: boolean;
  readonly #before: Buffer | null;
  /** Contents that the source has had. */
  readonly #versions: Uint8Array[];
  #disk: SimulatedDisk;

  constructor(
    random: () => number,
    host: TestHost,
    sources: readonly TestSource[],
    addresses: readonly SourceAddress[],
    disk: SimulatedDisk,
    before: Buffer | null,
  ) {
    this.#random = random;
    this.#host = host;
    this.#sources = sources;
    this.#addresses = addresses;
    this.#isChecked = sources.length > 1 || random() < 0.5;
    this.#before = before;
    this.#disk = disk;
    this.#versions = [sources[0]?.bytes ?? new Uint8Array(0)];
  }

  static async start(seed: number, host: TestHost): Promise<Torture> {
    const random = seededNumbers(seed);
    const bytes = contentFor(random);
    const disk = createSimulatedDisk();
    const before = random() < 0.5 ? Buffer.from("what stood there before") : null;
    if (before !== null) {
      const file = await disk.open("/file", "create");
      await file.write(before, 0);
      await file.sync();
      await disk.syncFolder("");
    }
    const sources = Array.from({ length: 1 + Math.floor(random() * 3) }, () => new TestSource(bytes));
    const addresses: SourceAddress[] = [];
    for (const source of sources) {
      source.chunkBytes = chunkBytes;
      if (random() < 0.15) source.kind = random() < 0.7 ? "old" : "none";
      addresses.push(await host.add(source));
    }
    return new Torture(random, host, sources, addresses, disk, before);
  }

  /** One attempt with faults; true when it has come to its end. */
  async live(): Promise<boolean> {
    const resume = this.#random() < 0.8;
    for (const source of this.#sources) this.#plan(source);
    const isCut = this.#random() < 0.5;
    const longest = 20 + (this.#versions.at(-1)?.length ?? 0) / (testBlockBytes / 4);
    if (isCut) this.#disk.crashAt(this.#disk.steps + 1 + Math.floor(this.#random() * longest));
    const replicated = await this.#replicate(resume);
    if (isCut) this.#disk = this.#disk.afterPowerCut(this.#random);
    await this.#check(replicated);
    return replicated !== null;
  }

  /** The last attempt, of which nothing goes wrong. */
  async end(): Promise<void> {
    for (const source of this.#sources) {
      source.faults = [];
      source.refusal = null;
      if (this.#isChecked) source.bytes = this.#versions[0] ?? source.bytes;
    }
    const sent = () => this.#sources.reduce((sum, source) => sum + source.sent, 0);
    const sentBefore = sent();
    const replicated = await this.#replicate(true, 10_000);
    assert.ok(replicated !== null, "nothing went wrong in the last life");
    await this.#check(replicated);
    assert.ok(replicated.resumed <= replicated.bytes);
    const isNew = this.#sources.length === 1 && this.#sources[0]?.kind === "ranged" && replicated.resumed > 0;
    if (isNew)
      assert.equal(
        replicated.bytes - replicated.resumed,
        sent() - sentBefore,
        "what was resumed is not sent",
      );
    assert.deepEqual(
      this.#disk.files().filter((path) => !path.endsWith(".log")),
      ["/file"],
    );
  }

  async #replicate(resume: boolean, silentMs = 15): Promise<Replicated | null> {
    const expected = this.#isChecked
      ? { expectedChecksum: hash("sha256", this.#versions[0] ?? "", "buffer") }
      : {};
    const replicator = testReplicator(this.#disk, this.#host.provider, {
      silentMs,
      lateMs: 3,
      random: this.#random,
    });
    try {
      return await replicateFrom(replicator, this.#addresses, { resume, ...expected });
    } catch (error) {
      assert.ok(error instanceof StarError, String(error));
      return null;
    }
  }

  /** What stands under the name is whole: what was fetched, or what was there before. */
  async #check(replicated: Replicated | null): Promise<void> {
    const content = await contentOf(this.#disk, "/file");
    const good = this.#isChecked ? this.#versions.slice(0, 1) : this.#versions;
    const isGood = content !== null && good.some((version) => content.equals(version));
    const isBefore = this.#before === null ? content === null : content?.equals(this.#before) === true;
    assert.ok(isGood || isBefore, `${content?.length} bytes stand there that nobody meant`);
    if (replicated === null) return;
    assert.ok(isGood, "what was acknowledged is there");
    assert.equal(replicated.checksum, hash("sha256", content));
    assert.equal(replicated.bytes, content.length);
  }

  #plan(source: TestSource): void {
    const random = this.#random;
    source.faults = Array.from({ length: Math.floor(random() * 4) }, () => this.#fault(source));
    source.refusal = random() < 0.2 ? status.NOT_FOUND : random() < 0.2 ? status.UNAVAILABLE : null;
  }

  #fault(source: TestSource): Fault | null {
    const random = this.#random;
    const after = Math.floor(random() ** 2 * (source.bytes.length + chunkBytes));
    const fate = random();
    if (fate < 0.15) return null;
    if (fate < 0.55) return { after, act: { kind: "status", code: status.UNAVAILABLE } };
    if (fate < 0.65) return { after, act: { kind: "frozen" } };
    // Who is not told what to expect cannot know of these in a source that says nothing of its file.
    if (fate < 0.75 && this.#isChecked) return { after, act: { kind: "corrupt" } };
    if (fate < 0.75 && source.kind !== "old") return { after, act: { kind: "more" } };
    if (source.kind !== "ranged") return null;
    // A stream without a message is an empty file of an old source.
    if (fate < 0.8) return { after: after + chunkBytes, act: { kind: "short" } };
    return { after, act: { kind: "becomes", bytes: this.#newVersion(source.bytes), breaks: fate < 0.9 } };
  }

  /** Grown, shrunk, or of the same size and other bytes. */
  #newVersion(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const fate = random();
    const version =
      fate < 0.3
        ? Buffer.concat([bytes, contentFor(random)])
        : fate < 0.6
          ? bytes.slice(0, Math.floor(random() * bytes.length))
          : bytes.map((byte) => byte ^ 0x55);
    this.#versions.push(version);
    return version;
  }
}

/** Of 0 to 40 blocks; often small. */
function contentFor(random: () => number): Buffer {
  const bytes = Buffer.alloc(Math.floor(random() ** 2 * 40 * testBlockBytes));
  for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return bytes;
}
