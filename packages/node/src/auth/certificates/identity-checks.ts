import { type CertifiedProcess, certifiedProcesses, clockSkewSeconds } from "@catalyst/identity";
import type { CheckResult } from "@catalyst/rpc";
import type { OwnCertificate, OwnIdentity } from "../../identity/own-identity.ts";
import { checked } from "../../process.ts";
import { timeOf } from "../credentials/api-key.ts";
import type { BelievedKeys } from "../credentials/believed-keys.ts";

/** A certificate that is renewed may be this much older than half of its life: it is tried again meanwhile. */
const marginMs = 30 * 60_000;
/** Of one that nobody renews it is told this long before its end, or in its last third if that is shorter. */
const longestNoticeMs = 14 * 86_400_000;

/** What is wrong with a certificate: `failed` means that nobody takes it now. */
export type CertificateFault = { readonly outcome: "warning" | "failed"; readonly text: string };

type Life = Pick<OwnCertificate, "notBefore" | "notAfter" | "isConfigured">;

/** What a certificate's age has wrong, and what to do; null while it is well. `now` in milliseconds since 1970. */
export function certificateFault({ notBefore, notAfter, isConfigured }: Life, now: number) {
  const fault = (outcome: CertificateFault["outcome"], text: string) => ({ outcome, text });
  if (now < notBefore) return fault("failed", `it is good from ${timeOf(notBefore)} on: set the clock`);
  if (now >= notAfter) return fault("failed", `it expired at ${timeOf(notAfter)}`);
  const life = notAfter - notBefore;
  if (isConfigured) {
    const noticeAt = notAfter - Math.min(life / 3, longestNoticeMs);
    if (now < noticeAt) return null;
    return fault(
      "warning",
      `it ends at ${timeOf(notAfter)}, and nobody renews it: put a new one in its place`,
    );
  }
  const half = notBefore + life / 2;
  if (now < half + marginMs) return null;
  return fault("warning", `it ends at ${timeOf(notAfter)}, and should have been renewed at ${timeOf(half)}`);
}

export type IdentityChecksParts = {
  /** The certificate of a process, null for none; throws what is wrong with it. */
  readonly certificate: (process: CertifiedProcess) => Life | null;
  /** Why the certificates could not be renewed, or nothing new is heard; null when neither is so. */
  readonly problem: string | null;
  /** What is wrong with the files that say who is believed. */
  readonly unusable: readonly string[];
  /** How far the root authority's clock is ahead of this node's, in ms; null where it was not heard, or is here. */
  readonly rootSkewMs: number | null;
  readonly now: number;
};

/** What `check` says of a node's own certificates, and of its clock as its root sees it. */
export function identityChecks({
  certificate,
  problem,
  unusable,
  rootSkewMs,
  now,
}: IdentityChecksParts): CheckResult[] {
  const faults = certifiedProcesses.flatMap((process) => {
    const fault = faultOf(() => certificate(process), now);
    return fault === null ? [] : [{ ...fault, text: `${process}: ${fault.text}` }];
  });
  const outcome = faults.some((fault) => fault.outcome === "failed") ? "failed" : "warning";
  const isSkewed = Math.abs(rootSkewMs ?? 0) > clockSkewSeconds * 1_000;
  return [
    checked(
      "auth.identity",
      "the certificates of this node are renewed in time",
      problem === null
        ? null
        : {
            detail: problem,
            hint: "see `catalyst identity show`: certificates that are not revoked go on until they expire; after that, join again with a new token",
          },
    ),
    checked(
      "auth.certificates",
      "no certificate of this node's processes is about to end",
      faults.length === 0
        ? null
        : {
            outcome,
            detail: faults.map(({ text }) => text).join("\n"),
            hint: "see `catalyst identity show`; `catalyst identity renew` renews those that are of the root authority",
          },
    ),
    checked(
      "auth.believed",
      "the roots, pinned nodes and keys that this node believes can be read",
      unusable.length === 0
        ? null
        : {
            detail: unusable.join("\n"),
            hint: "correct the file: it is taken up as soon as it can be used, and what it said before stays until then",
          },
    ),
    checked(
      "auth.clock",
      "the clock of this node is close to its root authority's",
      isSkewed
        ? {
            outcome: "warning",
            detail: `the root authority's is ${Math.abs(rootSkewMs ?? 0)} ms ${(rootSkewMs ?? 0) > 0 ? "ahead" : "behind"}: certificates and tokens may be refused`,
            hint: "set the clock of one of the two by NTP",
          }
        : null,
    ),
  ];
}

/** What is wrong with the files that say who is believed; nothing while they can be used. */
export function unusableFiles(
  own: Pick<OwnIdentity, "trust">,
  { problem }: Pick<BelievedKeys, "problem">,
): string[] {
  const fault = faultIn(() => own.trust());
  return [...(fault === null ? [] : [fault]), ...(problem === null ? [] : [problem])];
}

/** The problems that there are, for `status`. */
export function reasonsOf(...problems: readonly (string | null)[]): string[] {
  return problems.filter((problem) => problem !== null);
}

/** What a file holds; null where it cannot be used, which the checks tell of. */
export function usable<Held>(read: () => Held): Held | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function faultIn(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function faultOf(certificate: () => Life | null, now: number): CertificateFault | null {
  try {
    const found = certificate();
    return found === null ? { outcome: "failed", text: "it has none" } : certificateFault(found, now);
  } catch (error) {
    return { outcome: "failed", text: error instanceof Error ? error.message : String(error) };
  }
}
