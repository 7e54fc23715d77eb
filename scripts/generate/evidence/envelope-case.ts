import type { TrustRoot } from "@catalyst/identity";
import { type CborInput, encodeCbor } from "@catalyst/wire";
import { forge } from "../../../packages/evidence/test/forge.ts";

/** A statement with those who are believed; by default the key of its signer is pinned. */
export type Case = {
  readonly bytes: Uint8Array;
  readonly roots?: readonly TrustRoot[];
  readonly delegations?: readonly Uint8Array[];
  readonly asOf?: number;
  readonly audience?: string;
};
export type BadCase = Case & { readonly code: string; readonly cause?: string };

/** A name of 253 bytes. */
export const longName = [63, 63, 63, 61].map((length) => "a".repeat(length)).join(".");

/** Arrays inside each other, `depth` of them, the innermost with so many numbers. */
export function nested(depth: number, numbers: number): CborInput {
  const inner: CborInput = Array.from({ length: numbers }, () => 0);
  return Array.from({ length: depth - 1 }).reduce<CborInput>((value) => [value], inner);
}

/** An envelope of exactly so many bytes. */
export function sized(length: number): Uint8Array {
  const plain = forge({ payload: encodeCbor(new Uint8Array(3_000)) });
  return forge({ payload: encodeCbor(new Uint8Array(3_000 + length - plain.length)) });
}
