import { existsSync, writeFileSync } from "node:fs";
import { parse } from "node:path";
import { defaultMaxBundleBytes, type Envelope, encodeBundle } from "@catalyst/evidence";
import { formatStatementKey, IdentityError, openKeyStore, type StatementKey } from "@catalyst/identity";
import { paths } from "@catalyst/node";
import { CommandError, exitCode } from "../exit-code.ts";
import type { FoundReceipts, LentKey, LoggedReceipt } from "./receipt-log.ts";

/** What a bundle holds at most: spec/evidence.md §5.1. */
const mostReceipts = 200;
const mostDelegations = 64;
/** CBOR's heads of one member. */
const headBytes = 8;
/** For the rest: the names of the lists, and a key. */
const spareBytes = 256;

/** Bundles that were written, and whom one has to believe to verify them. */
export type WrittenBundles = {
  readonly files: readonly string[];
  readonly receipts: number;
  readonly roots: readonly BundleRoot[];
};

/** Somebody who signs without that another one lent the key; null for a key that is not kept here. */
export type BundleRoot = { readonly name: string; readonly kid: string; readonly key: string | null };

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
  const own = await ownKey(dataDir);
  for (const [at, { receipts, lent }] of drafts.entries()) {
    const delegations = [...lent].map(({ delegation }) => delegation.envelope);
    const envelopes = [...receipts.map(({ envelope }) => envelope), ...delegations];
    const isRoot = own !== null && envelopes.some(({ header }) => header.kid === own.kid);
    const bytes = encodeBundle({
      receipts: receipts.map(({ envelope }) => [envelope.bytes]),
      delegations: delegations.map((envelope) => envelope.bytes),
      keys: isRoot ? [own.key] : [],
    });
    writeFileSync(files[at] ?? out, bytes);
  }
  return { files, receipts: found.receipts.length, roots: rootsOf(drafts, own) };
}

/** The command that verifies what was written, without this node. */
export function verifyingCommands({ files, roots }: WrittenBundles): readonly string[] {
  const trust = roots.map(({ name, kid, key }) => `--root ${name}=${key ?? `<the key with kid ${kid}>`}`);
  return files.map((file) => `holo receipts bundle-verify ${file} ${trust.join(" ")}`);
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
    bytes + sizeOf(logged, more) <= defaultMaxBundleBytes - spareBytes
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

function rootsOf(drafts: readonly Draft[], own: OwnKey | null): readonly BundleRoot[] {
  const lent = drafts.flatMap((draft) => [...draft.lent]);
  const borrowed = new Set(lent.map(({ kid }) => kid));
  const envelopes = [
    ...drafts.flatMap(({ receipts }) => receipts.map(({ envelope }) => envelope)),
    ...lent.map(({ delegation }) => delegation.envelope),
  ];
  const roots = new Map<string, BundleRoot>();
  for (const { header } of envelopes) {
    const { kid } = header;
    const name = header.claims.issuer;
    const key = own?.kid === kid ? formatStatementKey(own.key) : null;
    if (!borrowed.has(kid)) roots.set(`${name} ${kid}`, { name, kid, key });
  }
  return [...roots.values()];
}

type OwnKey = { readonly kid: string; readonly key: StatementKey };

/** The node's key; null where it is not kept here, as on another machine. */
async function ownKey(dataDir: string): Promise<OwnKey | null> {
  try {
    const { kid, publicKey } = await (await openKeyStore(paths.keys(dataDir))).show("statements");
    return publicKey.algorithm === "Ed25519" ? { kid, key: publicKey } : null;
  } catch (error) {
    if (error instanceof IdentityError) return null;
    throw error;
  }
}

function numbered(out: string, number: number): string {
  const { dir, name, ext } = parse(out);
  return `${dir === "" ? "" : `${dir.replace(/\/$/, "")}/`}${name}-${number}${ext}`;
}
