import assert from "node:assert/strict";
import { test } from "node:test";
import { StarError } from "../errors.ts";
import { BatchSources } from "./batch-sources.ts";
import type { SourceAddress, SourceProvider, SourceStream } from "./source.ts";

const whole = { offset: 0, length: 0 };
const file = (path: string, url = "star"): SourceAddress => ({ url, path, token: "" });

type NamedStream = SourceStream & { readonly name: string };
const nameOf = (stream: SourceStream) => (stream as NamedStream).name;

/** Notes what is opened, alone or with others, and what is cancelled. */
function notingProvider() {
  const told: string[] = [];
  const streamOf = (name: string): NamedStream => ({
    name,
    next: async () => null,
    cancel: () => void told.push(`cancel ${name}`),
  });
  const provider: SourceProvider = {
    open: ({ path }) => streamOf(`${path} alone`),
    openAll: (url, files) => {
      if (url === "nowhere") throw new StarError("request_invalid", url);
      return files.map(({ path }, at) => streamOf(`${path} ${at}`));
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { provider, told };
}

test("A file that is wanted twice is in the stream once: what nobody reads would hold up those behind it", () => {
  const { provider, told } = notingProvider();
  {
    using sources = new BatchSources(provider, [file("a"), file("a"), file("b")]);
    const names = [sources.open(file("a"), whole), sources.open(file("a"), whole)].map(nameOf);
    assert.deepEqual(names, ["a 0", "a alone"]);
  }
  assert.deepEqual(told, ["cancel b 1"]);
});

test("A source whose address is none leaves the files of the others alone", () => {
  const { provider, told } = notingProvider();
  {
    const wrong = [file("c", "nowhere"), file("d", "nowhere")];
    using sources = new BatchSources(provider, [file("a"), file("b"), ...wrong]);
    assert.equal(nameOf(sources.open(file("a"), whole)), "a 0");
  }
  assert.deepEqual(told, ["cancel b 1"]);
});

test("A file of which a part is opened holds up none of those behind it", () => {
  const { provider, told } = notingProvider();
  using sources = new BatchSources(provider, [file("a"), file("b")]);
  sources.open(file("a"), { offset: 1, length: 0 });
  assert.deepEqual(told, ["cancel a 0"]);
});
