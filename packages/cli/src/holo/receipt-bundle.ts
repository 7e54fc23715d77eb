import { existsSync, writeFileSync } from "node:fs";
import { parse } from "node:path";
import { defaultMaxBundleBytes, type Envelope, encodeBundle } from "@catalyst/evidence";
import { formatStatementKey, IdentityError, type KeptKey, openKeyStore } from "@catalyst/identity";
import { paths } from "@catalyst/node";
import { CommandError, exitCode } from "../exit-code.ts";
import type { FoundReceipts, LentKey, LoggedReceipt } from "./receipt-log.ts";

/** What a bundle holds at most: spec/evidence.md §5.1. */
const mostReceipts = 200;
const mostDelegations = 64;
/** CBOR's heads of one member, and of the bundle itself. */
const headBytes = 8;

/** Bundles that were written, and whom one has to believe to verify them. */
export type WrittenBundles = {
  readonly files: readonly string[];
  readonly receipts: number;
  /** As `--root` takes them. */
  readonly roots: readonly string[];
};

type Draft = { readonly receipts: LoggedReceipt[]; readonly lent: Set<LentKey>; bytes: number };

/**
 * Writes receipts with the delegations that they need, into one bundle, or as many as it takes: `a.bundle` becomes
 * `a-1.bundle` and so on. Throws {@link CommandError}: exit code 3 for no receipts, 2 for a file that is there.
 */
export async function writeBundles(
  { dataDir, found, out }: { readonly dataDir: string; readonly found: FoundReceipts; readonly out: string },
  { force = false }: { readonly force?: boolean } = {},
): Promise<WrittenBundles> {
  if (found.receipts.length === 0) throw new CommandError(exitCode.notFound, "there are no such receipts");
  const drafts = draftsOf(found);
  const files = drafts.map((_, at) => (drafts.length === 1 ? out : numbered(out, at + 1)));
  const there = files.find((file) => existsSync(file));
  if (there !== undefined && !force) {
    throw new CommandError(exitCode.usage, `${there} is there already: name another file, or use --force`);
  }
  for (const [at, { receipts, lent }] of drafts.entries()) {
    const bytes = encodeBundle({
      receipts: receipts.map(({ envelope }) => [envelope.bytes]),
      delegations: [...lent].map(({ delegation }) => delegation.envelope.bytes),
    });
    writeFileSync(files[at] ?? out, bytes);
  }
  return { files, receipts: found.receipts.length, roots: await rootsOf(dataDir, drafts) };
}

/** The command that verifies what was written, without this node. */
export function verifyingCommands({ files, roots }: WrittenBundles): readonly string[] {
  const trust = roots.map((root) => `--root ${root}`).join(" ");
  return files.map((file) => `holo receipts bundle-verify ${file} ${trust}`);
}

function draftsOf({ receipts, delegations }: FoundReceipts): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const logged of receipts) {
    const needed = lendersOf(logged.envelope, delegations);
    const last = drafts.at(-1);
    if (last !== undefined && fits(last, logged, needed)) add(last, logged, needed);
    else drafts.push(add({ receipts: [], lent: new Set(), bytes: 0 }, logged, needed));
  }
  return drafts;
}

function fits({ receipts, lent, bytes }: Draft, logged: LoggedReceipt, needed: readonly LentKey[]): boolean {
  const more = needed.filter((each) => !lent.has(each));
  return (
    receipts.length < mostReceipts &&
    lent.size + more.length <= mostDelegations &&
    bytes + sizeOf(logged, more) <= defaultMaxBundleBytes - 16 * headBytes
  );
}

function add(draft: Draft, logged: LoggedReceipt, needed: readonly LentKey[]): Draft {
  const more = needed.filter((each) => !draft.lent.has(each));
  draft.receipts.push(logged);
  for (const each of more) draft.lent.add(each);
  draft.bytes += sizeOf(logged, more);
  return draft;
}

function sizeOf({ envelope }: LoggedReceipt, delegations: readonly LentKey[]): number {
  const sizes = [envelope, ...delegations.map(({ delegation }) => delegation.envelope)];
  return sizes.reduce((sum, { bytes }) => sum + bytes.length + headBytes, 0);
}

/** The delegations that let an envelope's key speak for its issuer, and those that let their keys lend. */
function lendersOf({ header }: Envelope, delegations: readonly LentKey[]): readonly LentKey[] {
  const { issuer, issuedAt } = header.claims;
  const lenders = delegations.filter(
    ({ kid, delegation }) =>
      kid === header.kid &&
      delegation.subject === issuer &&
      delegation.from <= issuedAt &&
      issuedAt <= delegation.until,
  );
  return lenders.flatMap((lent) => [lent, ...lendersOf(lent.delegation.envelope, delegations)]);
}

/** Those who sign without that somebody lent them their key. */
async function rootsOf(dataDir: string, drafts: readonly Draft[]): Promise<readonly string[]> {
  const lent = drafts.flatMap((draft) => [...draft.lent]);
  const borrowed = new Set(lent.map(({ kid }) => kid));
  const envelopes = [
    ...drafts.flatMap(({ receipts }) => receipts.map(({ envelope }) => envelope)),
    ...lent.map(({ delegation }) => delegation.envelope),
  ];
  const own = await ownKey(dataDir);
  const roots = envelopes.flatMap(({ header: { kid, claims } }) => {
    if (borrowed.has(kid)) return [];
    const key = own?.kid === kid && own.publicKey.algorithm === "Ed25519" ? own.publicKey : null;
    return [`${claims.issuer}=${key === null ? `kid:${kid}` : formatStatementKey(key)}`];
  });
  return [...new Set(roots)];
}

/** The node's key; null where it is not kept here, as on another machine. */
async function ownKey(dataDir: string): Promise<KeptKey | null> {
  try {
    return await (await openKeyStore(paths.keys(dataDir))).show("statements");
  } catch (error) {
    if (error instanceof IdentityError) return null;
    throw error;
  }
}

function numbered(out: string, number: number): string {
  const { dir, name, ext } = parse(out);
  return `${dir === "" ? "" : `${dir.replace(/\/$/, "")}/`}${name}-${number}${ext}`;
}
