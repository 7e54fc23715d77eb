import { test } from "node:test";
import { replicateCrowd } from "./star-crowd.ts";

test("A hundred files at once all come whole, none waits for long, and none takes a megabyte of memory of a star", async (t) => {
  const { sourceBytes, destinationBytes, starvedMs, lastMs } = await replicateCrowd(100, 4 * 1024 * 1024);
  const [source, destination] = [sourceBytes, destinationBytes].map((bytes) => Math.round(bytes / 1_000));
  t.diagnostic(`${source} kB each at the source, ${destination} kB at the destination`);
  t.diagnostic(
    `none got nothing for longer than ${Math.round(starvedMs)} ms, and the last had come after ${Math.round(lastMs)} ms`,
  );
});
