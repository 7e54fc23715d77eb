/** How a certificate's life goes on: spec/enrolment.md §6. Times are milliseconds since 1970. */
export type Renewal = {
  readonly notBefore: number;
  readonly notAfter: number;
  /** How often in a row the root authority did not renew it. */
  readonly failures: number;
  /** When it last did not; 0 when it did. */
  readonly failedAt: number;
};

export type RenewalEvent =
  | { readonly kind: "renewed"; readonly notBefore: number; readonly notAfter: number }
  | { readonly kind: "failed"; readonly at: number };

/** What is due: an expired certificate renews nothing any more, its node joins again. */
export type RenewalNeed =
  | { readonly kind: "none"; readonly until: number }
  | { readonly kind: "renew" }
  | { readonly kind: "expired"; readonly since: number };

const firstRetryMs = 60_000;
const lastRetryMs = 15 * 60_000;

export function startRenewal(life: Pick<Renewal, "notBefore" | "notAfter">): Renewal {
  return { ...life, failures: 0, failedAt: 0 };
}

export function renewalStep(renewal: Renewal, event: RenewalEvent): Renewal {
  if (event.kind === "renewed") return startRenewal({ notBefore: event.notBefore, notAfter: event.notAfter });
  return { ...renewal, failures: renewal.failures + 1, failedAt: event.at };
}

/** At half of its life, then every 1, 2, 4, 8, 15 minutes until the root authority answers or the life is over. */
export function renewalNeed(renewal: Renewal, now: number): RenewalNeed {
  const { notBefore, notAfter, failures, failedAt } = renewal;
  if (now >= notAfter) return { kind: "expired", since: notAfter };
  const half = notBefore + (notAfter - notBefore) / 2;
  const retryMs = failures === 0 ? 0 : Math.min(firstRetryMs * 2 ** (failures - 1), lastRetryMs);
  // After the clock was set back the last failure tells nothing.
  const due = Math.max(half, failedAt > now ? 0 : failedAt + retryMs);
  return due <= now ? { kind: "renew" } : { kind: "none", until: Math.min(due, notAfter) };
}
