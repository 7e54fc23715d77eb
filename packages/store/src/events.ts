import type { Cid } from "@catalyst/wire";
import type { PinClass } from "./store.ts";

/**
 * A part of an object that is not what its CID says: leaves themselves, the tree above leaves, or the row that tells
 * of the object, and then of all its leaves.
 */
export type Damage = {
  readonly cid: Cid;
  readonly part: "data" | "outboard" | "record";
  readonly firstLeaf: number;
  readonly leaves: number;
};

/** What has happened, for receipts and metrics. */
export type StoreEvent =
  | {
      readonly kind: "stored";
      readonly namespace: string;
      readonly cid: Cid;
      readonly sizeBytes: number;
      readonly isNew: boolean;
    }
  | {
      readonly kind: "linked";
      readonly namespace: string;
      readonly name: string;
      readonly cid: Cid;
      readonly previous: Cid | null;
    }
  | { readonly kind: "unlinked"; readonly namespace: string; readonly name: string; readonly cid: Cid }
  | {
      readonly kind: "pinned";
      readonly namespace: string;
      readonly cid: Cid;
      readonly class: PinClass;
      readonly scope: string;
      readonly until: number | null;
    }
  | { readonly kind: "unpinned"; readonly namespace: string; readonly cid: Cid; readonly scope: string }
  | {
      readonly kind: "collected";
      readonly marked: number;
      readonly removed: number;
      readonly removedBytes: number;
    }
  | {
      readonly kind: "scrubbed";
      readonly objects: number;
      readonly bytes: number;
      readonly damaged: number;
      readonly finished: boolean;
    }
  | {
      readonly kind: "placed";
      readonly cid: Cid;
      readonly data: number;
      readonly parity: number;
      /** The folders of the devices, in the order of the shards. */
      readonly devices: readonly string[];
    }
  | { readonly kind: "damaged"; readonly damage: Damage }
  | { readonly kind: "repaired"; readonly cid: Cid; readonly leaves: number };
