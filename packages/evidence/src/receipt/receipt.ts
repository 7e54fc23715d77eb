import type { CborValue } from "@catalyst/wire/portable";
import { decodeCanonical, encodeCanonical } from "../canonical.ts";
import { envelopeLimits } from "../envelope/sign1.ts";
import { EvidenceError } from "../errors.ts";
import { type Field, mismatch, oneOf, record } from "../record.ts";
import { type Receipt, type ReceiptKind, type ReceiptOf, receiptKinds } from "./kinds.ts";

/** The codec of each kind. The kind is a member among the others, and is written and read with them. */
const codecs: ReadonlyMap<string, Field<Receipt>> = new Map(
  Object.entries(receiptKinds).map(([kind, members]) => {
    const fields = record({ ...members, kind: oneOf(kind as ReceiptKind) });
    return [kind, fields as Field<unknown> as Field<Receipt>];
  }),
);

/** The payload of a receipt: equal receipts give equal bytes. Throws {@link EvidenceError} `schema_mismatch`. */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  const codec = codecs.get(receipt.kind) ?? unknownKind(receipt.kind);
  const bytes = encodeCanonical(codec.write(receipt), envelopeLimits);
  readReceipt(decodeCanonical(bytes, envelopeLimits));
  return bytes;
}

/** Reads the payload of a receipt, spec/evidence.md §4. Throws `kind_unknown` or `schema_mismatch`. */
export function readReceipt(value: CborValue): Receipt {
  if (!(value instanceof Map)) return mismatch("receipt", "a map");
  const kind: CborValue | undefined = value.get("kind");
  if (typeof kind !== "string") return mismatch("receipt.kind", "text");
  const receipt = (codecs.get(kind) ?? unknownKind(kind)).read(value, "receipt");
  checkSense(receipt);
  return receipt;
}

function unknownKind(kind: string): never {
  throw new EvidenceError("kind_unknown", `receipts of kind ${kind} are not known`);
}

/** What the form of the members does not say: the conditions of spec/evidence.md §4.2. */
function checkSense(receipt: Receipt): void {
  if ("startedAt" in receipt && receipt.endedAt < receipt.startedAt)
    mismatch("receipt.endedAt", "after its start");
  if (receipt.kind === "link") checkLink(receipt);
  if (receipt.kind === "transfer") checkTransfer(receipt);
}

function checkLink({ from, name, relation }: ReceiptOf<"link">): void {
  if ((from === undefined) === (name === undefined))
    mismatch("receipt", "a link from an object, or from a name");
  if (name !== undefined && relation !== "name") mismatch("receipt.relation", "that of a name");
}

function checkTransfer(receipt: ReceiptOf<"transfer">): void {
  let end = -1;
  for (const [at, range] of receipt.ranges.entries()) {
    if (range.start <= end || range.start >= range.end)
      mismatch(`receipt.ranges[${at}]`, "after the one before");
    end = range.end;
  }
  if (receipt.provider === receipt.client) mismatch("receipt.client", "another than the provider");
  if (receipt.window === 0 && receipt.previous !== undefined)
    mismatch("receipt.previous", "left out, as there is no window before the first");
}
