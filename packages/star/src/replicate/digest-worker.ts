// The thread that hashes. It takes blocks in the order in which they are given, and answers in that order.
import { createHash, type Hash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { DigestAnswer, DigestWork } from "./digester.ts";

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
  const sum = crc32(bytes);
  if (work.isNext && (work.expected === null || work.expected === sum)) hashOf(work.of).update(bytes);
  return sum;
}

function hashOf(of: number): Hash {
  const known = hashes.get(of);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  hashes.set(of, hash);
  return hash;
}
