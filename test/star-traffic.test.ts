import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdirSync, truncateSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Nucleus, replicateTree } from "@catalyst/sdk/star";
import { authSecret, StarProcess } from "./stars.ts";

// What the Nucleus itself sends and receives, in bytes of all connections that this process has.

const kilobyte = 1_000;
const megabyte = 1_000_000;
const path = (name: string) => `archive/2026/november/${name}`; // of about 35 bytes, as paths are

describe("The Nucleus", () => {
  let source: StarProcess;
  let destination: StarProcess;
  const sockets = new Set<Socket>();
  const note = (message: unknown) => void sockets.add((message as { socket: Socket }).socket);
  const ways = ["net.client.socket", "net.server.socket"];

  before(async () => {
    [source, destination] = await Promise.all([StarProcess.start(), StarProcess.start()]);
    mkdirSync(join(source.folder, path("")), { recursive: true });
    for (const way of ways) subscribe(way, note);
  });
  after(async () => {
    for (const way of ways) unsubscribe(way, note);
    await Promise.all([source, destination].map((star) => star[Symbol.asyncDispose]()));
  });

  /** What all connections, those that have ended too, carried while something was done; both ways together. */
  async function traffic(done: () => Promise<unknown>): Promise<number> {
    const carried = () => [...sockets].reduce((sum, each) => sum + each.bytesRead + each.bytesWritten, 0);
    const begin = carried();
    await done();
    return carried() - begin;
  }

  it("costs less than 1 KB for a command, and another half for a connection and a session", async (t) => {
    source.put(path("film.mkv"));
    await using nucleus = new Nucleus({ authSecret });
    const order = { from: source.at(path("film.mkv")), to: destination.at(path("film.mkv")) };
    const first = await traffic(() => nucleus.replicate(order));
    const next = await traffic(() => nucleus.replicate(order));
    t.diagnostic(`${next} bytes for a command, ${first} for one with its connection and session`);
    assert.ok(next > 0 && next < kilobyte, `${next} bytes`);
    assert.ok(first > next && first < 1.5 * kilobyte, `${first} bytes`);
  });

  it("carries no more for a large file than for a small one", async (t) => {
    source.put(path("disk.img"), new Uint8Array());
    truncateSync(join(source.folder, path("disk.img")), 256 * megabyte);
    await using nucleus = new Nucleus({ authSecret });
    const order = { from: source.at(path("disk.img")), to: destination.at(path("disk.img")) };
    const bytes = await traffic(() => nucleus.replicate(order));
    t.diagnostic(`${bytes} bytes for a file of 256 MB, with a connection and a session`);
    assert.ok(bytes < 1.5 * kilobyte, `${bytes} bytes`);
  });

  it("carries less than 1 MB where it is told how far a file is, whatever its size", async (t) => {
    const mostTimes = 20_000; // as packages/star/src/server/progress-watch.ts has it
    source.put(path("slow.img"), new Uint8Array());
    truncateSync(join(source.folder, path("slow.img")), 256 * megabyte);
    await using nucleus = new Nucleus({ authSecret });
    const order = { from: source.at(path("slow.img")), to: destination.at(path("slow.img")) };
    let times = 0;
    const replicated = () => nucleus.replicate({ ...order, onProgress: () => void times++ });
    const bytes = await traffic(() => Promise.all([replicated(), paused(source, 700)]));
    assert.ok(times > 0, "it was told");
    const each = (bytes - 1.5 * kilobyte) / times;
    t.diagnostic(`${bytes} bytes with ${times} times of being told`);
    assert.ok(
      bytes < 1.5 * kilobyte + times * 50 && mostTimes * each < megabyte,
      `${bytes} bytes, ${times} times`,
    );
  });

  it("costs less than 1 KB for each file of a folder", async (t) => {
    const files = 200;
    mkdirSync(join(source.folder, path("photos")));
    for (let file = 0; file < files; file++) source.put(path(`photos/${file}.jpg`), Buffer.alloc(10_000));
    await using nucleus = new Nucleus({ authSecret });
    const order = { from: source.at(path("photos")), to: destination.at(path("photos")) };
    const manifestFile = join(destination.folder, "manifest");
    const bytes = await traffic(() => replicateTree(nucleus, { ...order, manifestFile }));
    t.diagnostic(`${Math.round(bytes / files)} bytes for each of ${files} files, ${bytes} in all`);
    assert.ok(bytes < files * kilobyte && bytes < megabyte, `${bytes} bytes`);
  });

  it("carries all of a file where it relays", async () => {
    const content = source.put(path("letter.txt"), Buffer.alloc(2 * megabyte));
    await using nucleus = new Nucleus({ authSecret });
    const order = { from: source.at(path("letter.txt")), to: destination.at(path("letter.txt")) };
    const bytes = await traffic(() => nucleus.replicate({ ...order, relay: "always" }));
    assert.ok(bytes > 2 * content.length, `${bytes} bytes`);
  });
});

/** Halts a star soon for so many ms, so that what it sends takes longer than that. */
async function paused({ pid }: StarProcess, ms: number): Promise<void> {
  await sleep(60);
  process.kill(pid, "SIGSTOP");
  await sleep(ms);
  process.kill(pid, "SIGCONT");
}
