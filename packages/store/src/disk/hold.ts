import type { Cid } from "@catalyst/wire";
import type { QuotaExceeded } from "../store.ts";
import type { DiskParts } from "./parts.ts";

/**
 * Counts a whole object against a namespace and keeps it from being collected; or says why not. Inside a transaction.
 */
export function hold(
  { keeping, objects, now }: DiskParts,
  namespace: string,
  cid: Cid,
): { readonly kind: "not_found" } | QuotaExceeded | null {
  const row = objects.find(cid);
  if (row?.state !== "whole") return { kind: "not_found" };
  const exceeded = keeping.exceeded(namespace, row.id, row.tree.size);
  if (exceeded !== null) return { kind: "quota_exceeded", ...exceeded };
  keeping.hold(namespace, row.id, row.tree.size);
  objects.touch(cid, now());
  return null;
}
