// The thread that hashes. It takes blocks in the order in which they are given, and answers in that order.
import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { DigestAnswer, DigestWork } from "./digester.ts";

/** So many bytes are still in the processor's own memory when they are looked at twice. */
const cachedBytes = 64 * 1024;

const hashes = new Map<number, Hash>();

parentPort?.on("message", (work: DigestWork) => {
  parentPort?.postMessage(answerTo(work) satisfies DigestAnswer);
});

function answerTo(work: DigestWork): DigestAnswer {
  if (work.kind === "end") {
    const hash = hashes.get(work.of) ?? createHash("sha256");
    hashes.delete(work.of);
    return work.isWanted ? hash.digest("hex") : "";
  }
  const bytes = work.block.subarray(0, work.length);
  if (work.expected !== null) {
    const sum = crc32(bytes);
    if (work.isNext && work.expected === sum) hashOf(work.of).update(bytes);
    return sum;
  }
  const hash = work.isNext ? hashOf(work.of) : null;
  let sum = 0;
  for (let at = 0; at < bytes.length; at += cachedBytes) {
    const some = bytes.subarray(at, at + cachedBytes);
    sum = crc32(some, sum);
    hash?.update(some);
  }
  return sum;
}

function hashOf(of: number): Hash {
  const known = hashes.get(of);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  hashes.set(of, hash);
  return hash;
}
