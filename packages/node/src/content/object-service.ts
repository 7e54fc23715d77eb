import type { Receipt } from "@catalyst/evidence";
import { type ContentUsage, type ObjectStat, RpcError } from "@catalyst/rpc";
import {
  importChunked,
  openManifest,
  type Pin,
  type PinClass,
  type Placement,
  type PutOutcome,
  type Store,
  type ObjectStat as StoredStat,
} from "@catalyst/store";
import { type ByteRange, type Cid, type LeafSize, parseCid, splitCid, WireError } from "@catalyst/wire";
import type { Ledger } from "../audit/ledger.ts";
import type { ContentEvents } from "./events.ts";
import { notFound, overQuota } from "./refusal.ts";

export type ObjectServiceParts = {
  readonly store: Store;
  readonly placement: Placement;
  readonly ledger: Ledger;
  readonly events: ContentEvents;
  /** Quotas that the configuration sets: nobody else may. */
  readonly configuredQuotas: ReadonlySet<string>;
};

export type PutRequest = {
  readonly namespace: string;
  readonly leafSize: LeafSize | undefined;
  readonly expected: string | undefined;
  readonly name: string | undefined;
  readonly pin: PinClass | undefined;
  /** Cut into chunks, each of which is stored once, with a manifest above them. */
  readonly chunked: boolean;
};

/** An object, or the file that a manifest stands for. */
export type OpenObject = {
  readonly cid: Cid;
  readonly sizeBytes: number;
  /** The bytes of a range; by default all. Throws RpcError `object_not_found` or `object_incomplete`. */
  readonly read: (range?: ByteRange) => Promise<AsyncIterable<Uint8Array>>;
};

type Located = { readonly object: string; readonly namespace: string };

const sha256Reference = /^sha256:([0-9a-f]{64})$/;

/** What may be done with objects, each with its evidence: nothing is acknowledged before its receipt is durable. */
export class ObjectService {
  readonly #parts: ObjectServiceParts;

  constructor(parts: ObjectServiceParts) {
    this.#parts = parts;
  }

  /** The object that is meant: by its CID, its SHA-256, or a name. Throws `object_not_found`. */
  async locate({ object, namespace }: Located): Promise<Cid> {
    const { store } = this.#parts;
    const digest = sha256Reference.exec(object)?.[1];
    const found =
      digest === undefined
        ? (readCid(object) ?? (await store.resolve(namespace, object)))
        : await store.findBySha256(Buffer.from(digest, "hex"));
    if (found === null) throw notFound(object);
    return found;
  }

  async stat(located: Located) {
    const { store } = this.#parts;
    const cid = await this.locate(located);
    const stat = await store.stat(cid);
    if (stat === null) throw notFound(located.object);
    return {
      ...viewOf(stat),
      pins: (await store.pins(cid)).map(viewOfPin),
      names: [...(await store.linksTo(cid))],
    };
  }

  async list({ after, limit }: { after?: string | undefined; limit: number }): Promise<ObjectStat[]> {
    const from = after === undefined ? {} : { after: await this.locate({ object: after, namespace: "" }) };
    return (await this.#parts.store.list({ ...from, limit })).map(viewOf);
  }

  async names(namespace: string) {
    const { store } = this.#parts;
    const rows: { name: string; cid: string; sizeBytes: number; storedAt: string }[] = [];
    for (const { name, cid } of await store.links(namespace)) {
      const stat = await store.stat(cid);
      if (stat === null) continue;
      const { sizeBytes } = stat.file ?? stat;
      rows.push({ name, cid, sizeBytes, storedAt: timeOf(stat.storedAt) });
    }
    return rows;
  }

  /** Opens an object to read it: a file that was imported in chunks as the file, or as its manifest. */
  async open(located: Located, asManifest: boolean): Promise<OpenObject> {
    const { store } = this.#parts;
    const cid = await this.locate(located);
    if (splitCid(cid).content === "cbor" && !asManifest) {
      const file = await openManifest(store, cid);
      if (file.kind !== "found") throw absent(file.kind, located.object);
      return { cid, sizeBytes: file.sizeBytes, read: async (range) => file.read(range) };
    }
    const stat = await store.stat(cid);
    if (stat === null) throw notFound(located.object);
    const read = async (range?: ByteRange) => {
      const found = await store.get(cid, range);
      if (found.kind !== "found") throw absent(found.kind, located.object);
      return found.bytes;
    };
    return { cid, sizeBytes: stat.sizeBytes, read };
  }

  /** Stores bytes, names and pins them as asked, and answers when all of it is evident. */
  async put(bytes: AsyncIterable<Uint8Array>, request: PutRequest) {
    const { ledger } = this.#parts;
    const { namespace, name, pin, chunked } = request;
    const stored = chunked ? await this.#import(bytes, request) : await this.#put(bytes, request);
    const { cid, sizeBytes: size, addedBytes: added } = stored;
    const receipt = await ledger.record({ kind: "storage", scope: "local", cid, size, added, namespace });
    if (name !== undefined) await this.link({ object: cid, namespace, name });
    if (pin !== undefined) await this.pin({ object: cid, namespace, class: pin, scope: "default" });
    return { ...stored, receipt };
  }

  async #put(bytes: AsyncIterable<Uint8Array>, { namespace, leafSize, expected }: PutRequest) {
    const outcome = await this.#parts.store.put(bytes, {
      namespace,
      ...(leafSize === undefined ? {} : { leafSize }),
      ...(expected === undefined ? {} : { expected: parseExpected(expected) }),
    });
    if (outcome.kind !== "stored") throw await this.#refused(outcome, namespace);
    const { cid, sizeBytes, sha256, isNew } = outcome;
    return { cid, sizeBytes, sha256: hexOf(sha256), addedBytes: isNew ? sizeBytes : 0, chunks: null };
  }

  /** What was stored of a file that turns out to be another is left to the collector. */
  async #import(bytes: AsyncIterable<Uint8Array>, { namespace, leafSize, expected }: PutRequest) {
    const wanted = expected === undefined ? null : parseExpected(expected);
    const options = { namespace, ...(leafSize === undefined ? {} : { leafSize }) };
    const outcome = await importChunked(this.#parts.store, bytes, options);
    if (outcome.kind !== "stored") throw await this.#refused(outcome, namespace);
    const { cid, sizeBytes, sha256, chunks, newBytes } = outcome;
    if (wanted !== null && cid !== wanted) throw otherContent(cid);
    return { cid, sizeBytes, sha256: hexOf(sha256), addedBytes: newBytes, chunks };
  }

  async link({ name, ...located }: Located & { readonly name: string }) {
    const { store, ledger } = this.#parts;
    const cid = await this.locate(located);
    const { namespace } = located;
    const outcome = await store.link(namespace, name, cid);
    if (outcome.kind === "not_found") throw notFound(located.object);
    if (outcome.kind === "quota_exceeded") throw overQuota(outcome);
    const receipt = await ledger.record(linkReceipt("link", namespace, name, cid));
    return { cid, previous: outcome.previous, receipt };
  }

  async unlink({ name, namespace }: { readonly name: string; readonly namespace: string }) {
    const { store, ledger } = this.#parts;
    const cid = await store.unlink(namespace, name);
    if (cid === null) throw notFound(name);
    return { cid, receipt: await ledger.record(linkReceipt("unlink", namespace, name, cid)) };
  }

  async pin(request: Located & { class: PinClass; scope: string; ttlMs?: number | undefined }) {
    const { store, ledger } = this.#parts;
    const cid = await this.locate(request);
    const { namespace, class: kind, scope, ttlMs } = request;
    const options = { class: kind, scope, ...(ttlMs === undefined ? {} : { ttlMs }) };
    const outcome = await store.pin(namespace, cid, options);
    if (outcome.kind === "not_found") throw notFound(request.object);
    if (outcome.kind === "quota_exceeded") throw overQuota(outcome);
    const { until } = outcome;
    const receipt = await ledger.record(pinReceipt("pin", cid, kind, until));
    return { cid, until: until === null ? null : timeOf(until), receipt };
  }

  async unpin(request: Located & { readonly scope: string }) {
    const { store, ledger } = this.#parts;
    const cid = await this.locate(request);
    const { namespace, scope } = request;
    const pin = (await store.pins(cid)).find((each) => each.namespace === namespace && each.scope === scope);
    if (pin === undefined || !(await store.unpin(namespace, cid, scope))) {
      throw new RpcError(
        "object_not_found",
        `${request.object} has no pin ${scope} in namespace ${namespace}`,
      );
    }
    return { cid, receipt: await ledger.record(pinReceipt("unpin", cid, pin.class, pin.until)) };
  }

  async setQuota({
    namespace,
    maxBytes,
  }: {
    namespace: string;
    maxBytes: number | null;
  }): Promise<ContentUsage> {
    const { store, ledger, configuredQuotas } = this.#parts;
    const asked = {
      action: "content.quota",
      target: namespace,
      reason: `${maxBytes ?? "no"} bytes`,
    } as const;
    if (configuredQuotas.has(namespace)) {
      await ledger.act({ ...asked, outcome: "denied" });
      throw new RpcError(
        "invalid_request",
        `the quota of ${namespace} is set in the configuration: change it there`,
      );
    }
    await store.setQuota(namespace, maxBytes);
    await ledger.act({ ...asked, outcome: "done" });
    return store.usage(namespace);
  }

  async #refused(
    outcome: Exclude<PutOutcome, { readonly kind: "stored" }>,
    namespace: string,
  ): Promise<RpcError> {
    if (outcome.kind === "other_content") return otherContent(outcome.cid);
    if (outcome.kind === "reference_missing") return notFound(outcome.cid);
    const denied = { action: "content.put", target: namespace, outcome: "denied" } as const;
    await this.#parts.ledger.act({ ...denied, reason: "quota exceeded" });
    return overQuota(outcome);
  }
}

function otherContent(cid: Cid): RpcError {
  return new RpcError("content_mismatch", `the bytes are ${cid}: nothing was kept`);
}

function absent(kind: "not_found" | "incomplete", object: string): RpcError {
  if (kind === "not_found") return notFound(object);
  return new RpcError("object_incomplete", `not all of these bytes of ${object} have come yet`);
}

function readCid(text: string): Cid | null {
  try {
    return parseCid(text);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

function parseExpected(text: string): Cid {
  const cid = readCid(text);
  if (cid === null) throw new RpcError("invalid_request", `${text} is no CID`);
  return cid;
}

function linkReceipt(action: "link" | "unlink", namespace: string, name: string, to: Cid): Receipt {
  return { kind: "link", scope: "local", action, name, namespace, to, relation: "name" };
}

function pinReceipt(action: "pin" | "unpin", cid: Cid, kind: PinClass, until: number | null): Receipt {
  const end = until === null ? {} : { until: Math.floor(until / 1_000) };
  return { kind: "pin", scope: "local", cid, action, class: kind, ...end };
}

function viewOf(stat: StoredStat): ObjectStat {
  const { cid, sizeBytes, leafSize, sha256, file, state, storedAt, verifiedAt, damage } = stat;
  return {
    cid,
    sizeBytes,
    leafSize,
    sha256: sha256 === null ? null : hexOf(sha256),
    file: file === null ? null : { sizeBytes: file.sizeBytes, sha256: hexOf(file.sha256) },
    state,
    storedAt: timeOf(storedAt),
    verifiedAt: verifiedAt === null ? null : timeOf(verifiedAt),
    damage: damage.map((each) => ({ ...each })),
  };
}

function viewOfPin({ until, ...pin }: Pin) {
  return { ...pin, until: until === null ? null : timeOf(until) };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
