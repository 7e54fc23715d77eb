import { test } from "node:test";
import { replicateCrowd } from "./star-crowd.ts";

test("A hundred files at once all come whole and about together, and none takes a megabyte of memory of a star", async (t) => {
  const { sourceBytes, destinationBytes, middleMs, lastMs } = await replicateCrowd(100, 4 * 1024 * 1024);
  const [source, destination] = [sourceBytes, destinationBytes].map((bytes) => Math.round(bytes / 1_000));
  t.diagnostic(`${source} kB each at the source, ${destination} kB at the destination`);
  t.diagnostic(`half of them after ${Math.round(middleMs)} ms, the last after ${Math.round(lastMs)} ms`);
});
