import type { Receipt } from "@catalyst/evidence";
import { type ContentUsage, type ObjectStat, RpcError } from "@catalyst/rpc";
import type { Pin, PinClass, Placement, PutOutcome, Store, ObjectStat as StoredStat } from "@catalyst/store";
import { type Cid, type LeafSize, parseCid, WireError } from "@catalyst/wire";
import type { ContentEvents } from "./events.ts";
import type { Ledger } from "./ledger.ts";
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
      if (stat !== null) rows.push({ name, cid, sizeBytes: stat.sizeBytes, storedAt: timeOf(stat.storedAt) });
    }
    return rows;
  }

  /** Stores bytes, names and pins them as asked, and answers when all of it is evident. */
  async put(bytes: AsyncIterable<Uint8Array>, request: PutRequest) {
    const { store, ledger } = this.#parts;
    const { namespace, leafSize, expected, name, pin } = request;
    const outcome = await store.put(bytes, {
      namespace,
      ...(leafSize === undefined ? {} : { leafSize }),
      ...(expected === undefined ? {} : { expected: parseExpected(expected) }),
    });
    const { cid, sizeBytes, sha256, isNew } = await this.#stored(outcome, namespace);
    const addedBytes = isNew ? sizeBytes : 0;
    const storage: Receipt = {
      kind: "storage",
      scope: "local",
      cid,
      size: sizeBytes,
      added: addedBytes,
      namespace,
    };
    const receipt = await ledger.record(storage);
    if (name !== undefined) await this.link({ object: cid, namespace, name });
    if (pin !== undefined) await this.pin({ object: cid, namespace, class: pin, scope: "default" });
    return { cid, sizeBytes, sha256: hexOf(sha256), addedBytes, chunks: null, receipt };
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

  async #stored(outcome: PutOutcome, namespace: string): Promise<PutOutcome & { readonly kind: "stored" }> {
    switch (outcome.kind) {
      case "stored":
        return outcome;
      case "quota_exceeded":
        await this.#parts.ledger.act({
          action: "content.put",
          target: namespace,
          outcome: "denied",
          reason: "quota exceeded",
        });
        throw overQuota(outcome);
      case "other_content":
        throw new RpcError("content_mismatch", `the bytes are ${outcome.cid}: nothing was kept`);
      case "reference_missing":
        throw notFound(outcome.cid);
    }
  }
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
  const { cid, sizeBytes, leafSize, sha256, state, storedAt, verifiedAt, damage } = stat;
  return {
    cid,
    sizeBytes,
    leafSize,
    sha256: sha256 === null ? null : hexOf(sha256),
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
