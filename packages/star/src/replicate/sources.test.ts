import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { createSimulatedDisk } from "@catalyst/durable/testing";
import { status } from "@grpc/grpc-js";
import type { SourceAddress } from "./source.ts";
import { grpcHost, httpHost, localHost, type TestHost, TestSource } from "./test-source.ts";
import { contentOf, partOf, replicateFrom, testBlockBytes, testReplicator } from "./test-target.ts";

const size = 50 * testBlockBytes + 123;
const checksumOf = (bytes: Uint8Array) => ({ expectedChecksum: hash("sha256", bytes, "buffer") });

/** A disk, a destination, and sources of the same bytes. */
async function started(host: TestHost, count = 1) {
  const bytes = randomBytes(size);
  const files = createSimulatedDisk();
  const sources = Array.from({ length: count }, () => new TestSource(bytes));
  const addresses: SourceAddress[] = [];
  for (const source of sources) addresses.push(await host.add(source));
  const replicator = testReplicator(files, host.provider);
  const [first] = sources as [TestSource, ...TestSource[]];
  const replicate = (wanted = {}, signal?: AbortSignal) =>
    replicateFrom(replicator, addresses, wanted, signal);
  const checkWhole = async (of = bytes) => {
    assert.ok((await contentOf(files, "/file"))?.equals(of));
    assert.deepEqual(files.files(), ["/file"]);
  };
  return { bytes, files, sources, first, replicate, checkWhole };
}

const fault = (after: number, code: status) => ({ after, act: { kind: "status", code } as const });

for (const [name, startHost] of [
  ["in memory", localHost],
  ["over gRPC", grpcHost],
  ["by HTTP", httpHost],
] as const) {
  test(`A source that breaks is asked for the rest, and no byte that came is sent again (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    of.first.pauseMs = 1; // What has not been read yet gRPC drops when the status comes.
    of.first.faults = [10, 30].map((blocks) => fault(blocks * testBlockBytes, status.UNAVAILABLE));
    assert.equal((await of.replicate()).bytes, size);
    await of.checkWhole();
    const rest = (blocks: number) => ({
      offset: blocks * testBlockBytes,
      length: size - blocks * testBlockBytes,
    });
    assert.deepEqual(of.first.asked, [{ offset: 0, length: 0 }, rest(10), rest(40)]);
    assert.equal(of.first.sent, size);
  });

  test(`A source that breaks behind its last byte is asked whether its file is still the same (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    of.first.faults = [fault(size, status.UNAVAILABLE)];
    await of.replicate();
    await of.checkWhole();
    const { offset = 0, length = 0 } = of.first.asked.at(-1) ?? {};
    assert.equal(offset + length, size);
    assert.ok(offset > 0);
    const other = randomBytes(size);
    of.first.faults = [fault(size, status.UNAVAILABLE), { after: 0, act: { kind: "becomes", bytes: other } }];
    await of.replicate();
    await of.checkWhole(other);
  });

  test(`A source that says nothing is given up after a time, with DEADLINE_EXCEEDED (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    of.first.faults = Array.from({ length: 9 }, () => ({ after: 0, act: { kind: "frozen" } as const }));
    await assert.rejects(of.replicate(), { code: "source_silent", status: status.DEADLINE_EXCEEDED });
    assert.equal(of.first.asked.length, 6);
    assert.deepEqual(of.files.files(), []);
  });

  test(`Refusals are not tried again, and failures that may pass are (${name})`, async () => {
    await using host = startHost();
    for (const [code, isRetried] of [
      [status.PERMISSION_DENIED, false],
      [status.NOT_FOUND, false],
      [status.UNAUTHENTICATED, false],
      [status.INVALID_ARGUMENT, false],
      [status.UNIMPLEMENTED, false],
      [status.UNAVAILABLE, true],
      [status.INTERNAL, true],
      [status.ABORTED, true],
      [status.RESOURCE_EXHAUSTED, true],
    ] as const) {
      const of = await started(host);
      of.first.refusal = code;
      await assert.rejects(of.replicate(), { status: code }, status[code]);
      assert.equal(of.first.asked.length, isRetried ? 6 : 1, status[code]);
    }
  });

  test(`An old source, which begins at zero whatever it is asked, is read from its start (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    for (const wanted of [{}, checksumOf(of.bytes)]) {
      of.first.kind = "ranged";
      of.first.faults = [fault(20 * testBlockBytes, status.UNAVAILABLE)];
      of.first.refusal = status.NOT_FOUND;
      await assert.rejects(of.replicate(wanted), { status: status.NOT_FOUND });
      assert.ok(of.files.files().includes(`/${partOf("file").part}`));
      of.first.kind = "old";
      of.first.refusal = null;
      const resumed = await of.replicate({ ...wanted, resume: true, expectedSize: BigInt(size) });
      assert.deepEqual([resumed.bytes, resumed.resumed], [size, 0]);
      await of.checkWhole();
    }
  });

  test(`An old source that breaks is begun again, and leaves nothing when it is given up (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    of.first.kind = "old";
    of.first.faults = [fault(20 * testBlockBytes, status.UNAVAILABLE)];
    await of.replicate();
    await of.checkWhole();
    of.first.refusal = status.UNAVAILABLE;
    of.first.faults = [fault(20 * testBlockBytes, status.UNAVAILABLE)];
    await assert.rejects(of.replicate(), { code: "source_unreachable" });
    await of.checkWhole();
  });

  test(`Sources that answer with another offset, more bytes than asked or an absurd size are refused (${name})`, async () => {
    await using host = startHost();
    for (const lie of [
      { offset: 1n },
      { totalSize: 2n ** 60n },
      { totalSize: 10n },
      { totalSize: undefined },
    ]) {
      const of = await started(host);
      of.first.lie = lie;
      await assert.rejects(
        of.replicate(),
        (error: { code: string }) => /^source_/.test(error.code),
        `${Object.keys(lie)} ${Object.values(lie)}`,
      );
      assert.deepEqual(of.files.files(), []);
    }
    const of = await started(host);
    of.first.faults = [{ after: size, act: { kind: "more" } }];
    await assert.rejects(of.replicate(), { code: "source_refused" });
    await assert.rejects(of.replicate({ expectedSize: BigInt(size + 1) }), { code: "content_mismatch" });
  });

  test(`Several sources share a file that a checksum binds, each byte from one of them (${name})`, async () => {
    await using host = startHost();
    const of = await started(host, 3);
    for (const source of of.sources) source.pauseMs = 1;
    assert.equal((await of.replicate(checksumOf(of.bytes))).bytes, size);
    await of.checkWhole();
    for (const { sent } of of.sources) assert.ok(sent >= 2 * testBlockBytes, `${sent}`);
  });

  test(`A source that is lost in the middle leaves its rest to the others, whether it breaks or freezes (${name})`, async () => {
    await using host = startHost();
    for (const act of [{ kind: "status", code: status.NOT_FOUND }, { kind: "frozen" }] as const) {
      const of = await started(host, 3);
      for (const source of of.sources) source.pauseMs = 1;
      of.first.faults = [{ after: 3 * testBlockBytes, act }];
      of.first.refusal = status.NOT_FOUND;
      await of.replicate(checksumOf(of.bytes));
      await of.checkWhole();
    }
  });

  test(`A source of other bytes spoils nothing: after a mismatch each is tried alone (${name})`, async () => {
    await using host = startHost();
    const of = await started(host, 2);
    const wrong = Buffer.from(of.bytes);
    wrong[3 * testBlockBytes] = (wrong[3 * testBlockBytes] ?? 0) ^ 1;
    of.first.bytes = wrong;
    for (const source of of.sources) source.pauseMs = 1;
    await of.replicate(checksumOf(of.bytes));
    await of.checkWhole();
    for (const source of of.sources) source.bytes = wrong;
    await assert.rejects(of.replicate(checksumOf(of.bytes)), { code: "content_mismatch" });
    await of.checkWhole();
  });

  test(`Without a checksum bytes of different files are not mixed: sources are used one after the other (${name})`, async () => {
    await using host = startHost();
    const of = await started(host, 2);
    const other = randomBytes(size);
    (of.sources[1] as TestSource).bytes = other;
    of.first.faults = [fault(20 * testBlockBytes, status.UNAVAILABLE)];
    of.first.refusal = status.NOT_FOUND;
    await of.replicate();
    await of.checkWhole(other);
  });

  test(`A file that changes while it is read is begun again, and given up when it never rests (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    const grown = Buffer.concat([of.bytes, randomBytes(5_000)]);
    of.first.faults = [{ after: 20 * testBlockBytes, act: { kind: "becomes", bytes: grown } }];
    await of.replicate();
    await of.checkWhole(grown);
    const restless = Array.from({ length: 20 }, () => ({
      after: 20 * testBlockBytes,
      act: { kind: "becomes", bytes: randomBytes(size) } as const,
    }));
    of.first.faults = restless;
    await assert.rejects(of.replicate(), { code: "file_changed" });
    await of.checkWhole(grown);
  });

  test(`Who cancels gets CANCELLED, and a later call with resume goes on where it was (${name})`, async () => {
    await using host = startHost();
    const of = await started(host);
    of.first.pauseMs = 1;
    of.first.faults = [{ after: 30 * testBlockBytes, act: { kind: "frozen" } }];
    const cancelling = new AbortController();
    const replicating = of.replicate({}, cancelling.signal);
    const part = `/${partOf("file").part}`;
    const deadline = performance.now() + 10_000;
    while (((await of.files.stat(part))?.sizeBytes ?? 0) < 28 * testBlockBytes) {
      assert.ok(performance.now() < deadline);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    cancelling.abort();
    await assert.rejects(replicating, { code: "cancelled", status: status.CANCELLED });
    assert.equal(of.files.files().length, 2);
    const { resumed } = await of.replicate({ resume: true });
    assert.ok(resumed >= 26 * testBlockBytes, `${resumed}`);
    assert.ok(of.first.sent - size <= 4 * testBlockBytes, `${of.first.sent - size}`);
    await of.checkWhole();
  });
}
