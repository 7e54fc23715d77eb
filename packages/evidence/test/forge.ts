import { type Kid, kidToBytes, type Signer } from "@catalyst/identity";
import { type CborInput, type CborKey, CborTag, encodeCbor } from "@catalyst/wire";
import { alpha, nonceOf, now } from "./parties.ts";

type Entries = readonly (readonly [CborKey, CborInput])[];

/** What an envelope is made of, wherever it differs from a good one. */
export type Forgery = {
  readonly signer?: Signer;
  readonly kid?: Kid;
  readonly type?: string;
  /** Claims that are added or replaced; null leaves one out. */
  readonly claims?: Readonly<Record<number | string, CborInput>>;
  /** Header parameters that are added or replaced; null leaves one out. */
  readonly header?: Readonly<Record<number | string, CborInput>>;
  /** The protected header itself, in place of what the others say. */
  readonly protectedHeader?: Uint8Array;
  readonly unprotected?: CborInput;
  readonly payload?: Uint8Array;
  /** What stands in the envelope where the payload would. */
  readonly payloadPart?: CborInput;
  readonly tag?: number | null;
  /** Changes the signature after it was made. */
  readonly spoil?: (signature: Uint8Array) => CborInput;
  readonly parts?: (parts: readonly CborInput[]) => CborInput;
};

const empty = new Uint8Array();

/** The payload of a good pin receipt's sister: any map will do for an envelope. */
export const somePayload = encodeCbor({ hello: "world" });

/** An envelope by the rules of RFC 9052 alone, signed with a good key, good or bad as it is asked for. */
export function forge(forgery: Forgery = {}): Uint8Array {
  const { signer = alpha.signer, payload = somePayload } = forgery;
  const protectedHeader = forgery.protectedHeader ?? encodeCbor(headerOf(forgery, signer));
  const signed = protectedHeader.length === 1 && protectedHeader[0] === 0xa0 ? empty : protectedHeader;
  const signature = signer.sign(encodeCbor(["Signature1", signed, empty, payload]));
  const parts: readonly CborInput[] = [
    protectedHeader,
    forgery.unprotected ?? new Map(),
    forgery.payloadPart === undefined ? payload : forgery.payloadPart,
    forgery.spoil?.(signature) ?? signature,
  ];
  const body = forgery.parts?.(parts) ?? parts;
  return encodeCbor(forgery.tag === null ? body : new CborTag(18, body));
}

function headerOf(forgery: Forgery, signer: Signer): ReadonlyMap<CborKey, CborInput> {
  const claims = changed(
    [
      [1, alpha.name],
      [2, "test"],
      [6, now],
      [7, nonceOf("nonce")],
    ],
    forgery.claims,
  );
  return changed(
    [
      [1, -8],
      [4, kidToBytes(forgery.kid ?? signer.kid)],
      [15, claims],
      [16, forgery.type ?? "application/vnd.catalyst.test+cbor"],
    ],
    forgery.header,
  );
}

function changed(
  entries: Entries,
  changes: Readonly<Record<string, CborInput>> = {},
): Map<CborKey, CborInput> {
  const map = new Map(entries);
  for (const [name, value] of Object.entries(changes)) {
    const key = /^-?\d+$/.test(name) ? Number(name) : name;
    if (value === null) map.delete(key);
    else map.set(key, value);
  }
  return map;
}
