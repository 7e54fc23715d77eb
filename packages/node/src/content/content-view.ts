import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { formatAuditHead } from "@catalyst/evidence";
import { type CheckResult, type Decision, RpcError } from "@catalyst/rpc";
import type { Store, StoreStats } from "@catalyst/store";
import type { Ledger } from "../audit/ledger.ts";
import { checked, notExplainable } from "../process.ts";
import type { Jobs } from "./jobs.ts";
import type { ObjectService } from "./object-service.ts";

export type ContentViewParts = {
  readonly folder: string;
  readonly devices: readonly { readonly name: string; readonly folder: string }[];
  readonly store: Store;
  readonly objects: ObjectService;
  readonly ledger: Ledger;
  readonly jobs: Jobs;
  readonly scrubEveryMs: number;
  readonly graceMs: number;
};

/** Less of the disk than this, or than a twentieth of it, is little. */
const littleBytes = 1_000_000_000;

/** What the content process knows, for `status`, `check` and `explain`. */
export class ContentView {
  readonly #parts: ContentViewParts;
  #stats: StoreStats;

  private constructor(parts: ContentViewParts, stats: StoreStats) {
    this.#parts = parts;
    this.#stats = stats;
  }

  static async open(parts: ContentViewParts): Promise<ContentView> {
    return new ContentView(parts, await parts.store.stats());
  }

  /** Reads anew what is told without being asked of the store. */
  async refresh(): Promise<void> {
    this.#stats = await this.#parts.store.stats();
  }

  /** When this was last done; null for never. */
  async lastAt(kind: "gc" | "scrub"): Promise<number | null> {
    await this.refresh();
    return kind === "gc" ? this.#stats.collectedAt : this.#stats.scrubbedAt;
  }

  async details() {
    await this.refresh();
    const { folder, devices, ledger, jobs } = this.#parts;
    const { objects, bytes, partial, damaged, scrubbedAt, collectedAt } = this.#stats;
    const signer = ledger.signer();
    return {
      folder,
      objects,
      bytes,
      partial,
      damaged,
      scrubbedAt: timeOf(scrubbedAt),
      collectedAt: timeOf(collectedAt),
      running: jobs.running(),
      devices: devices.map((device) => ({ folder: device.folder, reachable: existsSync(device.folder) })),
      issuer: ledger.issuer,
      signer: signer === null ? null : { kid: signer.kid, until: signer.until.toISOString() },
      auditHead: formatAuditHead(ledger.head),
    };
  }

  reasons(): string[] {
    const { damaged } = this.#stats;
    return damaged === 0 ? [] : [`${damaged} objects are damaged: \`catalyst check\` says what to do`];
  }

  async check(): Promise<CheckResult[]> {
    await this.refresh();
    const { devices } = this.#parts;
    const { damaged } = this.#stats;
    const missing = devices.filter(({ folder }) => !existsSync(folder)).map(({ folder }) => folder);
    return [
      checked(
        "content.objects",
        "no object is known to be damaged",
        damaged === 0
          ? null
          : {
              detail: `${damaged} objects have damaged parts, which are not given to anybody`,
              hint: "`holo cam ls --objects` names them; `holo cam repair` restores what is placed, else put them again",
            },
      ),
      this.#checkScrub(),
      await this.#checkSpace(),
      checked(
        "content.devices",
        "every device is there",
        missing.length === 0
          ? null
          : {
              detail: `${missing.join(", ")}: not there`,
              hint: "mount them, or take them out of content.devices",
            },
        devices.length === 0 ? "none is configured" : "ok",
      ),
      await this.#checkSigner(),
    ];
  }

  async explain(subject: string, name: string): Promise<Decision> {
    if (subject !== "object") throw notExplainable("content", subject, ["object"]);
    const { store, objects, graceMs } = this.#parts;
    const cid = await objects.locate({ object: name, namespace: "default" });
    const stat = await store.stat(cid);
    if (stat === null) throw new RpcError("object_not_found", `${name} is not here`);
    const names = (await store.linksTo(cid)).map((link) => `${link.namespace}/${link.name}`);
    const pins = (await store.pins(cid)).map(({ namespace, scope, class: kind, until }) => {
      return `${namespace}/${scope}, ${kind}${until === null ? "" : `, until ${timeOf(until)}`}`;
    });
    const parents = await store.referrers(cid);
    const kept = names.length + pins.length + parents.length > 0;
    const minutes = Math.round(graceMs / 60_000);
    return {
      question: `why is ${cid} kept?`,
      asOf: new Date().toISOString(),
      inputs: { cid, sizeBytes: stat.sizeBytes, storedAt: timeOf(stat.storedAt), state: stat.state },
      steps: [
        { rule: "it has names", outcome: names.join(", ") || "none" },
        { rule: "it is pinned", outcome: pins.join("; ") || "no" },
        { rule: "other objects refer to it", outcome: parents.join(", ") || "none" },
      ],
      result: kept
        ? "kept"
        : `nothing keeps it: collected when it was marked, and not used, for ${minutes} minutes`,
    };
  }

  #checkScrub(): CheckResult {
    const { scrubEveryMs } = this.#parts;
    const { scrubbedAt, objects } = this.#stats;
    const isLate = scrubEveryMs > 0 && scrubbedAt !== null && Date.now() - scrubbedAt > 2 * scrubEveryMs;
    const told =
      scrubbedAt === null ? "no round has ended yet" : `the last round ended ${timeOf(scrubbedAt)}`;
    return checked(
      "content.scrub",
      "what is stored was read and verified lately",
      isLate && objects > 0
        ? {
            outcome: "warning",
            detail: told,
            hint: "rounds take longer than content.scrub.everyHours: raise content.scrub.bytesPerSecond, or lower the sample rate",
          }
        : null,
      told,
    );
  }

  async #checkSpace(): Promise<CheckResult> {
    const { folder } = this.#parts;
    const { bavail, blocks, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const isLittle = free < Math.min(littleBytes, (blocks * bsize) / 20);
    const told = `${Math.floor(free / 1_000_000)} MB are free`;
    return checked(
      "content.space",
      "the disk of the store has room",
      isLittle
        ? { outcome: "warning", detail: told, hint: "free space, move content.folder, or `holo cam gc`" }
        : null,
      told,
    );
  }

  async #checkSigner(): Promise<CheckResult> {
    const { ledger } = this.#parts;
    const problem = await ledger.keepLent().then(
      () => null,
      (error: Error) => ({
        detail: `no key can be lent: ${error.message}`,
        hint: "mend that: until then only what needs no receipt is done",
      }),
    );
    const signer = ledger.signer();
    const told = signer === null ? "none" : `${signer.kid}, until ${signer.until.toISOString()}`;
    return checked("content.signer", "receipts can be signed", problem, told);
  }
}

function timeOf(ms: number): string;
function timeOf(ms: number | null): string | null;
function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
