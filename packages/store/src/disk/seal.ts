import { hash } from "node:crypto";
import type { SqlValue } from "@catalyst/durable";

/**
 * Eight bytes over the fields of a row. SQLite keeps no checksums of its pages: without them a flipped bit could give
 * a name another object, or a pin another end.
 */
export function sealOf(fields: readonly SqlValue[]): Uint8Array {
  const text = fields.map((field) =>
    field instanceof Uint8Array ? `x${Buffer.from(field).toString("latin1")}` : `${typeof field}${field}`,
  );
  return hash("sha256", JSON.stringify(text), "buffer").subarray(0, 8);
}

/** Whether a row is what was written. */
export function isSealed(fields: readonly SqlValue[], seal: SqlValue | undefined): boolean {
  return seal instanceof Uint8Array && Buffer.compare(sealOf(fields), seal) === 0;
}
