import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type CertifiedProcess,
  certifiedProcesses,
  createSigningRequest,
  type EnrolmentAnswer,
  formatSpiffeId,
  type IdentityFolder,
  type PendingEnrolment,
  type ProcessIdentity,
  type Renewal,
  type RenewalNeed,
  renewalNeed,
  renewalStep,
  type SigningRequests,
  startRenewal,
} from "@catalyst/identity";
import type { ProcessCertificate } from "@catalyst/rpc";
import type { OwnIdentity } from "../../identity/own-identity.ts";
import { timeOf } from "../credentials/api-key.ts";
import { usable } from "./identity-checks.ts";

export type IdentityKeeperParts = {
  readonly folder: IdentityFolder;
  readonly domain: string;
  readonly node: string;
  /** Has the requests signed by the root authority, here or elsewhere. */
  readonly sign: (requests: SigningRequests) => Promise<EnrolmentAnswer>;
  /** Whether the root authority is here: it asks for no certificate that is still good. */
  readonly isRoot: boolean;
  readonly now: () => number;
};

/** Keeps the certificates of a node's processes fresh: spec/enrolment.md §6. Each time their keys are new. */
export class IdentityKeeper {
  readonly #parts: IdentityKeeperParts;
  #renewal: Renewal | null;
  #problem: string | null = null;
  #renewing: Promise<void> | null = null;

  /** Throws IdentityError `identity_damaged`. */
  constructor(parts: IdentityKeeperParts) {
    this.#parts = parts;
    this.#renewal = this.#read();
  }

  /** Those that there are, by process. Throws IdentityError `identity_damaged`. */
  identities(): readonly ProcessIdentity[] {
    return certifiedProcesses.flatMap((process) => this.#parts.folder.process(process) ?? []);
  }

  need(): RenewalNeed {
    return this.#renewal === null ? { kind: "renew" } : renewalNeed(this.#renewal, this.#parts.now());
  }

  /** Why the last renewal failed, and until when the certificates that there are last; null when it did not. */
  problem(): string | null {
    const need = this.need();
    if (need.kind === "expired") {
      return `the certificates of this node expired at ${timeOf(need.since)}: join again with a new token`;
    }
    if (this.#problem === null || this.#renewal === null) return this.#problem;
    return `${this.#problem}; the certificates last until ${timeOf(this.#renewal.notAfter)}`;
  }

  /** Renews when it is time. An expired node of a root elsewhere is left alone: nobody would answer it. */
  async keepUp(): Promise<void> {
    const { kind } = this.need();
    const isDue = kind === "renew" || (kind === "expired" && this.#parts.isRoot);
    if (isDue) await this.renew().catch(() => undefined); // told of as a problem, and tried again
  }

  /** Throws what the root authority says, or why it says nothing. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    const { folder, sign, now, node, domain } = this.#parts;
    try {
      const { keys, requests } = await newRequests({ node, domain });
      await folder.keep(await sign(requests), keys);
      this.#problem = null;
      this.#renewal = this.#read();
    } catch (error) {
      this.#problem = `the certificates could not be renewed: ${(error as Error).message}`;
      if (this.#renewal !== null) {
        this.#renewal = renewalStep(this.#renewal, { kind: "failed", at: now() });
      }
      throw error;
    }
  }

  /** By the one that ends first; null when a process has none. */
  #read(): Renewal | null {
    const identities = this.identities();
    const [first] = identities.toSorted((one, other) => one.notAfter - other.notAfter);
    return first === undefined || identities.length < certifiedProcesses.length ? null : startRenewal(first);
  }
}

/** The certificates that can be used, as others are told of them. */
export function certificatesOf(own: OwnIdentity): ProcessCertificate[] {
  const found = certifiedProcesses.flatMap((process) => usable(() => own.process(process)) ?? []);
  return found.map(({ id, serial, notBefore, notAfter, isConfigured }) => {
    return {
      process: id.process,
      spiffeId: formatSpiffeId(id),
      serial,
      notBefore: timeOf(notBefore),
      notAfter: timeOf(notAfter),
      renewsAt: isConfigured ? null : timeOf(notBefore + (notAfter - notBefore) / 2),
    };
  });
}

/** The roots that are believed for a domain. */
export function rootsOf(own: OwnIdentity, domain: string): string[] {
  const roots = usable(() => own.trust())?.roots ?? [];
  return roots.filter((root) => root.domain === domain).map(({ thumbprint }) => thumbprint);
}

/** A new key for each process of a node, and the requests that these sign. */
export async function newRequests(subject: { node: string; domain: string }): Promise<PendingEnrolment> {
  const made = await Promise.all(
    certifiedProcesses.map(async (process) => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return { process, privateKey, request: await createSigningRequest(privateKey, subject) };
    }),
  );
  const keys: [CertifiedProcess, KeyObject][] = made.map(({ process, privateKey }) => [process, privateKey]);
  const requests = made.map(({ process, request }) => [process, request] as const);
  return { keys: Object.fromEntries(keys), requests: Object.fromEntries(requests) };
}
