import {
  formatStatementKey,
  type Kid,
  kidFromBytes,
  type TrustRoot,
  thumbprintInput,
} from "@catalyst/identity/portable";
import { type Cid, formatCid } from "@catalyst/wire/portable";
import { readDelegation } from "../envelope/delegation.ts";
import { type Envelope, readEnvelope } from "../envelope/envelope.ts";
import { checkSignature } from "../envelope/signature.ts";
import { createTrust, type Trust } from "../envelope/trust.ts";
import type { VerifyOptions } from "../envelope/verify.ts";
import { EvidenceError } from "../errors.ts";
import { type VerifiedReceipt, verifyReceipt } from "../receipt/verify.ts";
import { type Bundle, decodeBundle } from "./bundle.ts";

export type VerifyBundleOptions = Omit<VerifyOptions, "trust"> & {
  readonly roots: readonly TrustRoot[];
  /** Bytes of the bundle at most. Default 1,048,576. */
  readonly maxBytes?: number;
};

/** A bundle that was verified. */
export type VerifiedBundle = {
  readonly receipts: readonly VerifiedReceipt[];
  /** Policies and traces, by both of the CIDs that a block may have. */
  readonly blocks: ReadonlyMap<Cid, Uint8Array>;
};

/**
 * Verifies a bundle with nothing else than what is in it and the roots, spec/evidence.md §5.2. Throws
 * {@link EvidenceError}, with `evidence.index` where one of the receipts is at fault.
 */
export async function verifyBundle(bytes: Uint8Array, options: VerifyBundleOptions): Promise<VerifiedBundle> {
  const bundle = decodeBundle(bytes, options.maxBytes);
  const { roots, crypto } = options;
  const { delegations = [], keys = [] } = bundle;
  const trust = await createTrust({ roots, delegations, keys }, crypto);
  const receipts: VerifiedReceipt[] = [];
  for (const [index, envelopes] of bundle.receipts.entries()) {
    receipts.push(await at(index, () => verifyReceipt(envelopes, { ...options, trust })));
  }
  await checkDelegations(delegations, trust, options);
  await checkKeys(bundle, options);
  checkRepeats(receipts);
  return { receipts, blocks: await checkBlocks(receipts, bundle.blocks ?? [], options) };
}

/** Adds the place to what is thrown. */
async function at<Result>(index: number, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const message = `receipt ${index}: ${cause.message}`;
    throw new EvidenceError(cause.code, message, { cause, evidence: { ...cause.evidence, index } });
  }
}

/** A delegation that led to no receipt is verified too: a change of any byte of a bundle shows. */
async function checkDelegations(
  delegations: readonly Uint8Array[],
  trust: Trust,
  { crypto }: VerifyBundleOptions,
): Promise<void> {
  for (const bytes of delegations) {
    const { envelope } = readDelegation(bytes);
    const { key } = await trust.authorise(envelope);
    await checkSignature(envelope, key, crypto);
  }
}

/** Each key, lent or not, signed something in the bundle. */
async function checkKeys(bundle: Bundle, { crypto }: VerifyBundleOptions): Promise<void> {
  const { keys = [], delegations = [] } = bundle;
  const signers = new Set<Kid>();
  const add = ({ header }: Envelope) => signers.add(header.kid);
  for (const bytes of [...bundle.receipts.flat(), ...delegations]) add(readEnvelope(bytes));
  for (const key of [...keys, ...delegations.map((bytes) => readDelegation(bytes).key)]) {
    const kid = kidFromBytes(await crypto.sha256(thumbprintInput(key)));
    if (!signers.has(kid)) throw surplus(`nothing is signed by key ${kid}`);
  }
  if (isRepeating(keys.map(formatStatementKey)) || isRepeating(delegations.map(String))) {
    throw surplus("a key or a delegation is in it twice");
  }
}

function checkRepeats(receipts: readonly VerifiedReceipt[]): void {
  const cids = receipts.flatMap(({ statements }) => statements.map(({ cid }) => cid));
  if (isRepeating(cids)) throw surplus("an envelope is in it twice");
}

function isRepeating(names: readonly string[]): boolean {
  return new Set(names).size < names.length;
}

async function checkBlocks(
  receipts: readonly VerifiedReceipt[],
  blocks: readonly Uint8Array[],
  { crypto }: VerifyBundleOptions,
): Promise<ReadonlyMap<Cid, Uint8Array>> {
  const byCid = new Map<Cid, Uint8Array>();
  const names: Cid[][] = [];
  for (const bytes of blocks) {
    const digest = await crypto.sha256(bytes);
    const cids = (["raw", "cbor"] as const).map((content) =>
      formatCid({ content, hash: "sha2-256", digest }),
    );
    if (cids.some((cid) => byCid.has(cid))) throw surplus("a block is in it twice");
    for (const cid of cids) byCid.set(cid, bytes);
    names.push(cids);
  }
  const wanted = new Set(receipts.flatMap(({ receipt }) => referencesOf(receipt)));
  for (const cid of wanted) {
    if (!byCid.has(cid)) throw new EvidenceError("reference_missing", `block ${cid} is not in the bundle`);
  }
  for (const cids of names) {
    if (!cids.some((cid) => wanted.has(cid))) throw surplus(`no receipt refers to block ${cids[0]}`);
  }
  return byCid;
}

/** What has to come along with a receipt. */
function referencesOf(receipt: VerifiedReceipt["receipt"]): readonly Cid[] {
  const policy = receipt.policyRef === undefined ? [] : [receipt.policyRef];
  return receipt.kind === "resolve" ? [...policy, receipt.trace] : policy;
}

function surplus(message: string): EvidenceError {
  return new EvidenceError("bundle_surplus", message);
}
