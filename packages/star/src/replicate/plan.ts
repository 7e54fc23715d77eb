import type { ByteRange } from "../server/range.ts";
import { addRange, missingIn, type RangeSet } from "./ranges.ts";

/** What a source is to send: `at` is the byte that comes next. No two claims have a byte in common. */
export type Claim = {
  readonly source: number;
  readonly at: number;
  readonly to: number;
  /** Whether nothing of it has come yet. */
  readonly isFresh: boolean;
};

/** Which bytes of a file are here, and who sends which of the others. */
export type Plan = {
  /** Infinite until a source has told it. */
  readonly size: number;
  /** How many bytes a source is asked for at once; infinite where there is one source. */
  readonly pieceBytes: number;
  readonly have: RangeSet;
  readonly claims: readonly Claim[];
  /** Sources that lost a claim of which they had sent nothing, and have sent nothing since: they take from nobody. */
  readonly silent: readonly number[];
};

export type Claimed = {
  readonly plan: Plan;
  readonly claim: Claim;
  /** Whose claim became smaller, or none, for this one. */
  readonly takenFrom: number | null;
};

/** A claim of which less is left is not divided any more, but taken over as a whole from who is slow. */
const smallestHalf = 256 * 1024;

export function beginPlan(have: RangeSet, size: number, pieceBytes: number): Plan {
  return { size, pieceBytes, have, claims: [], silent: [] };
}

/** The plan when a source has told how long the file is. */
export function withSize(plan: Plan, size: number): Plan {
  const claims = plan.claims.map((claim) => ({ ...claim, to: Math.min(claim.to, size) }));
  return { ...plan, size, claims: claims.filter(({ at, to }) => at < to) };
}

export function isWhole({ size, have }: Plan): boolean {
  return size === 0 || (have.length === 1 && have[0]?.from === 0 && have[0].to === size);
}

export function claimOf(plan: Plan, source: number): Claim | undefined {
  return plan.claims.find((claim) => claim.source === source);
}

/**
 * What a source without a claim fetches next: the first piece that nobody fetches; then half of what most is left of, so that
 * nobody waits for the slowest; and where that is little and `isLate` says that this source has waited for long, all of it.
 * Null where there is nothing to do for it now.
 */
export function claimNext(plan: Plan, source: number, isLate: boolean): Claimed | null {
  const gap = firstGap(plan);
  if (gap !== null) {
    const claim = { source, at: gap.from, to: Math.min(gap.to, gap.from + plan.pieceBytes), isFresh: true };
    return { plan: { ...plan, claims: [...plan.claims, claim] }, claim, takenFrom: null };
  }
  if (plan.silent.includes(source)) return null;
  return takeOver(plan, source, isLate);
}

/** The plan when so many bytes of its claim have come from a source; a claim that is fulfilled is none any more. */
export function received(plan: Plan, source: number, bytes: number): Plan {
  const claim = claimOf(plan, source);
  if (claim === undefined || bytes === 0) return plan;
  const at = Math.min(claim.to, claim.at + bytes);
  const rest = at < claim.to ? [{ ...claim, at, isFresh: false }] : [];
  return {
    ...plan,
    have: addRange(plan.have, { from: claim.at, to: at }),
    claims: [...plan.claims.filter((each) => each !== claim), ...rest],
    silent: plan.silent.filter((each) => each !== source),
  };
}

/** The plan when a source sends no more of its claim: the rest is for whoever comes first. */
export function release(plan: Plan, source: number): Plan {
  return { ...plan, claims: plan.claims.filter((claim) => claim.source !== source) };
}

function firstGap({ size, have, claims }: Plan): ByteRange | null {
  const taken = claims.reduce<RangeSet>((set, { at, to }) => addRange(set, { from: at, to }), have);
  return missingIn(taken, { from: 0, to: size })[0] ?? null;
}

function takeOver(plan: Plan, source: number, isLate: boolean): Claimed | null {
  const left = (claim: Claim) => claim.to - claim.at;
  const others = plan.claims.filter((claim) => claim.source !== source);
  const [largest] = others.sort((one, other) => left(other) - left(one));
  if (largest === undefined || !Number.isFinite(largest.to)) return null;
  const isDivided = left(largest) >= 2 * smallestHalf;
  if (!isDivided && !isLate) return null;
  const middle = Math.ceil((largest.at + left(largest) / 2) / smallestHalf) * smallestHalf;
  const from = isDivided ? middle : largest.at;
  const claim = { source, at: from, to: largest.to, isFresh: true };
  const rest = isDivided ? [{ ...largest, to: from }] : [];
  return {
    plan: {
      ...plan,
      claims: [...plan.claims.filter((each) => each !== largest), ...rest, claim],
      silent: largest.isFresh ? [...plan.silent, largest.source] : plan.silent,
    },
    claim,
    takenFrom: largest.source,
  };
}
