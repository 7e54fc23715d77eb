import type { Receipt } from "@catalyst/evidence";
import { formatBytes } from "../byte-size.ts";

/** A receipt as it is printed as JSON, with bytes in hexadecimal. */
export function printableReceipt(receipt: Receipt): object {
  const members = Object.entries(receipt).map(([name, value]) => {
    return [name, value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value];
  });
  return Object.fromEntries(members);
}

/** The CIDs of what a receipt is about. */
export function objectsOf(receipt: Receipt): readonly string[] {
  switch (receipt.kind) {
    case "link":
      return receipt.from === undefined ? [receipt.to] : [receipt.to, receipt.from];
    case "scrub":
      return receipt.findings.map(({ cid }) => cid);
    case "resolve":
      return receipt.selected === undefined ? [] : [receipt.selected];
    case "gc-report":
      return [];
    case "subscribe":
      return [receipt.interest];
    default:
      return [receipt.cid];
  }
}

/** What a receipt says, in a few words. */
export function summaryOf(receipt: Receipt): string {
  switch (receipt.kind) {
    case "storage":
      return `${formatBytes(receipt.size)}, ${formatBytes(receipt.added)} new: ${receipt.cid}`;
    case "link":
      return `${receipt.action} ${receipt.name ?? receipt.from} to ${receipt.to}`;
    case "pin":
      return `${receipt.action} ${receipt.class} ${receipt.cid}`;
    case "placement":
      return `${receipt.dataShards}+${receipt.parityShards} on ${receipt.places.map(({ site }) => site).join(", ")}: ${receipt.cid}`;
    case "scrub":
      return `${receipt.objects} objects, ${formatBytes(receipt.bytes)}, ${receipt.faults} faults`;
    case "gc-report":
      return `${receipt.freed} objects, ${formatBytes(receipt.freedBytes)} freed`;
    default:
      return objectsOf(receipt).join(", ");
  }
}
