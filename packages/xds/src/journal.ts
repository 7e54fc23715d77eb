import { setImmediate as turn } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Journal, openJournal, readJournal } from "@catalyst/durable";
import { DeltaDiscoveryResponseSchema } from "../generated/envoy/service/discovery/v3/discovery_pb.js";
import { XdsError } from "./errors.ts";
import type { AcknowledgedEvent } from "./events.ts";
import { NameMap } from "./name-map.ts";
import { createResource, type Resource, type ResourceName } from "./resource.ts";
import { Snapshot } from "./snapshot.ts";

export type SnapshotJournalOptions = {
  /** How long changes are collected before they are written, in ms. Default 50. */
  readonly flushMs?: number;
  /** What a failed write is told to; the changes are kept and tried again after a second. */
  readonly onError?: (error: unknown) => void;
};

/**
 * What proxies acknowledged, on disk: the last good snapshot, for a server that stands in while this one is away.
 * Each record is a `DeltaDiscoveryResponse` without versions, which are hashes of the bodies.
 */
export type SnapshotJournal = AsyncDisposable & {
  /** Takes in what a proxy acknowledged. Returns at once; bytes that are there already are not written again. */
  record(acknowledged: AcknowledgedEvent): void;
  /**
   * Forgets what is not in `published`. Call it once the proxies have settled after a start: what was withdrawn
   * while nobody was connected is acknowledged by nobody.
   */
  retain(published: Snapshot): void;
  /** Resolves when all that was recorded before is on disk; rejects with the `DurableError` that prevents it. */
  flush(): Promise<void>;
  /** How many resources the journal holds, and its size on disk. */
  readonly resources: number;
  readonly sizeBytes: number;
};

type Change = { readonly name: ResourceName; readonly resource: Resource | undefined };

const recordBytes = 256 * 1024;
const compactFromBytes = 1024 * 1024;
const defaultFlushMs = 50;
const retryMs = 1_000;

/** Opens the journal at `path`, or makes it. Throws `XdsError` `journal_malformed`, and what `openJournal` does. */
export async function openSnapshotJournal(
  path: string,
  options: SnapshotJournalOptions = {},
): Promise<SnapshotJournal> {
  const journal = await openJournal(path);
  return new FileSnapshotJournal(journal, await readSnapshot(path), options);
}

/**
 * Reads the last good snapshot; empty when there is no journal. Also while another process writes it. Throws
 * `XdsError` `journal_malformed`, and what `readJournal` of `@catalyst/durable` does.
 */
export async function readSnapshot(path: string): Promise<Snapshot> {
  const { records } = await readJournal(path);
  const resources = new NameMap<Resource>();
  for (const record of records) {
    for (const { name, resource } of decodeRecord(record)) {
      if (resource) resources.set(name, resource);
      else resources.delete(name);
    }
  }
  return new Snapshot(resources.values());
}

class FileSnapshotJournal implements SnapshotJournal {
  readonly #journal: Journal;
  readonly #flushMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #held = new NameMap<Resource>();
  #changes = new NameMap<Change>();
  #changed = 0;
  #liveBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  resources = 0;

  constructor(journal: Journal, held: Snapshot, options: SnapshotJournalOptions) {
    this.#journal = journal;
    this.#flushMs = options.flushMs ?? defaultFlushMs;
    this.#onError = options.onError ?? (() => undefined);
    for (const resource of held) this.#hold(resource, resource);
  }

  get sizeBytes(): number {
    return this.#journal.sizeBytes;
  }

  record({ type, upsert, removed }: AcknowledgedEvent): void {
    for (const resource of upsert) this.#note(resource, resource);
    for (const name of removed) this.#note({ type, name }, undefined);
  }

  retain(published: Snapshot): void {
    for (const resource of [...this.#held.values()]) {
      if (!published.get(resource)) this.#note(resource, undefined);
    }
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const written = this.#writing.then(() => this.#write());
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush().catch(this.#onError);
    clearTimeout(this.#timer);
    await this.#journal[Symbol.asyncDispose]();
  }

  #note(name: ResourceName, resource: Resource | undefined): void {
    if (this.#held.get(name)?.version === resource?.version) return;
    this.#hold(name, resource);
    this.#changes.set(name, { name: { type: name.type, name: name.name }, resource });
    this.#changed++;
    this.#schedule(this.#flushMs);
  }

  #schedule(delayMs: number): void {
    this.#timer ??= setTimeout(() => this.flush().catch(this.#onError), delayMs);
  }

  #hold(name: ResourceName, resource: Resource | undefined): void {
    const before = this.#held.get(name);
    if (before) {
      this.#liveBytes -= weight(before);
      this.resources--;
      this.#held.delete(name);
    }
    if (!resource) return;
    this.#liveBytes += weight(resource);
    this.resources++;
    this.#held.set(resource, resource);
  }

  async #write(): Promise<void> {
    if (this.#changed === 0) return;
    const changes = this.#changes;
    this.#changes = new NameMap();
    this.#changed = 0;
    try {
      if (this.#journal.sizeBytes > compactFromBytes + 2 * this.#liveBytes) await this.#compact();
      else for (const record of encodeRecords(changes.values())) await this.#append(record);
    } catch (error) {
      for (const change of changes.values()) if (!this.#changes.has(change.name)) this.#keep(change);
      this.#schedule(retryMs);
      throw error;
    }
  }

  #keep(change: Change): void {
    this.#changes.set(change.name, change);
    this.#changed++;
  }

  async #append(record: Uint8Array): Promise<void> {
    await this.#journal.append(record);
    await turn();
  }

  async #compact(): Promise<void> {
    const all = [...this.#held.values()].map((resource) => ({ name: resource, resource }));
    await this.#journal.compact(encodeRecords(all));
  }
}

function weight({ type, name, body }: Resource): number {
  return type.length + name.length + body.length;
}

/** Records of about {@link recordBytes} each, of one type each. */
function* encodeRecords(changes: Iterable<Change>): Generator<Uint8Array> {
  let batch: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const first = batch[0];
    if (first && (bytes > recordBytes || first.name.type !== change.name.type)) {
      yield encodeRecord(first.name.type, batch);
      batch = [];
      bytes = 0;
    }
    batch.push(change);
    bytes += change.name.name.length + (change.resource?.body.length ?? 0);
  }
  if (batch[0]) yield encodeRecord(batch[0].name.type, batch);
}

function encodeRecord(typeUrl: string, changes: readonly Change[]): Uint8Array {
  const message = create(DeltaDiscoveryResponseSchema, {
    typeUrl,
    resources: changes.flatMap(({ name, resource }) =>
      resource ? [{ name: name.name, resource: { typeUrl, value: resource.body } }] : [],
    ),
    removedResources: changes.flatMap(({ name, resource }) => (resource ? [] : [name.name])),
  });
  return toBinary(DeltaDiscoveryResponseSchema, message);
}

function decodeRecord(record: Uint8Array): Change[] {
  try {
    const { typeUrl: type, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, record);
    const upserts = resources.map(({ name, resource }) => {
      // A copy, so that one resource does not keep the whole record in memory.
      const body = resource?.value.slice() ?? new Uint8Array(0);
      return { name: { type, name }, resource: createResource(type, name, body) };
    });
    return [...upserts, ...removedResources.map((name) => ({ name: { type, name }, resource: undefined }))];
  } catch (cause) {
    throw new XdsError("journal_malformed", "A record of the snapshot journal is not one of ours.", {
      cause,
    });
  }
}
