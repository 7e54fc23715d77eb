import { type Database, failpoint } from "@catalyst/durable";
import {
  type Admission,
  type AdmissionCode,
  decodeMessage,
  type EnrolmentAnswer,
  type EnrolmentRequest,
  encodeMessage,
  enrolmentProof,
  IdentityError,
  isProof,
  nodeNameOf,
  readSigningRequest,
  requestsDigest,
  type SigningRequests,
} from "@catalyst/identity";
import { type authContract, type Implementation, RpcError } from "@catalyst/rpc";
import { z } from "zod";
import { type AskedAction, auditingDenial } from "../../audit/denied-action.ts";
import type { Ledger } from "../../audit/ledger.ts";
import { type Allowance, Ration } from "../../ration.ts";
import { timeOf } from "../credentials/api-key.ts";
import type { VersionCounter } from "../credentials/auth-store.ts";
import type { AuthEvents } from "../credentials/events.ts";
import type {
  CertificateTable,
  DenialTable,
  JoinTokenTable,
  StoredDenial,
  StoredJoinToken,
} from "./authority-store.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { EnrolmentRefusal } from "./enrolment-refusal.ts";
import type { TrustPublisher } from "./trust-publisher.ts";

export type RegistrarParts = {
  readonly domain: string;
  /** The label of this node, which no other one may be given. */
  readonly node: string;
  readonly database: Database;
  readonly tokens: JoinTokenTable;
  readonly certificates: CertificateTable;
  readonly denials: DenialTable;
  readonly version: VersionCounter;
  readonly certificateAuthority: CertificateAuthority;
  readonly trustPublisher: TrustPublisher;
  readonly ledger: Ledger;
  readonly events: AuthEvents;
  readonly now: () => number;
  /** What everybody has to know is other than before. */
  readonly onChange: () => void;
};

type Calls = Implementation<typeof authContract>;
type Request<Call extends keyof Calls> = Parameters<Calls[Call]>[0];
type Chains = EnrolmentAnswer["chains"];
type Admitted = Extract<Admission, { kind: "admitted" }>;

/** Whoever is denied again and again does not fill the disk; all are counted. */
const auditedDenials: Allowance = { most: 10, inMs: 60_000 };
/** A node that was denied asks for news for as long as it runs. */
const auditedNews: Allowance = { most: 1, inMs: 3_600_000 };

const chainsOnDisk = z.record(z.string(), z.array(z.instanceof(Uint8Array)));

/** Who becomes a node of the organisation, and who is one no more: spec/enrolment.md §3, §4 and §7. */
export class Registrar {
  readonly #parts: RegistrarParts;
  readonly #ration = new Ration();

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }

  /**
   * Makes a node of whoever proves that it has the token, under the name that the token was made for. The token is
   * consumed in the transaction that records the certificates: of those that race, one wins. The same requests once
   * more are the same joiner, whose answer was lost: it is given again. Throws {@link EnrolmentRefusal}.
   */
  async enrol(request: EnrolmentRequest, binding: Uint8Array): Promise<EnrolmentAnswer> {
    const { tokens, now } = this.#parts;
    const token = tokens.get(request.token);
    try {
      const { node, secret, expiresAt } = token ?? refuse("token_unknown");
      if (expiresAt <= now()) refuse("token_expired");
      const { requests } = request;
      if (!isProof(request.proof, enrolmentProof(secret, binding, requests))) refuse("proof_wrong");
      const chains = await this.#consume(request.token, node, requests);
      await this.#auditEnrolment(request.token, node);
      return this.#answer(node, chains);
    } catch (error) {
      await this.#denied("node.enrol", token?.node ?? null, error);
      throw error;
    }
  }

  /** New certificates for a node that has good ones, for keys that are new. Throws {@link EnrolmentRefusal}. */
  async renew(
    { id: { node }, serial, until }: Admitted,
    requests: SigningRequests,
  ): Promise<EnrolmentAnswer> {
    const { ledger, events, database, certificates, denials } = this.#parts;
    try {
      const issued = await this.#issueAll(node, requests);
      await failpoint("auth.renew.signed");
      database.transaction(() => {
        // It may have been revoked while the certificates were signed.
        if (denials.get(node, null) ?? denials.get(node, serial)) refuse("peer_refused");
        for (const each of issued) certificates.insert(each.record);
      });
      const reason = `${Object.keys(requests).sort().join(" ")}; the one that asked ends at ${timeOf(until)}`;
      await ledger.act({ action: "node.renew", target: node, outcome: "done", reason });
      events.renewed(node);
      return this.#answer(node, chainsOf(issued));
    } catch (error) {
      await this.#denied("node.renew", node, error);
      throw error;
    }
  }

  /** Certificates of this node's own processes: nobody has to prove to itself who it is. */
  async issueOwn(requests: SigningRequests): Promise<EnrolmentAnswer> {
    const { database, certificates, node } = this.#parts;
    const issued = await this.#issueAll(node, requests);
    database.transaction(() => {
      for (const each of issued) certificates.insert(each.record);
    });
    return this.#answer(node, chainsOf(issued));
  }

  /**
   * Denies a node, or one certificate of it. On disk and told to all who watch before it is answered. Throws RpcError
   * `node_unknown`.
   */
  revoke({ node, serial }: Request<"revokeNode">) {
    const denied = { action: "node.revoke", target: node };
    return auditingDenial(this.#parts.ledger, denied, () => this.#revoke(node, serial ?? null));
  }

  /** That somebody was not admitted to the authority, who may have proved to be a node; `node` is null where nobody did. */
  async refused(
    action: "node.renew" | "token.mint" | "trust.read",
    node: string | null,
    code: AdmissionCode,
  ) {
    const allowance = action === "trust.read" ? auditedNews : auditedDenials;
    await this.#auditDenial({ action, target: node ?? "unknown" }, code, node === null ? null : allowance);
  }

  async #revoke(node: string, serial: string | null) {
    const { denials, ledger, events, domain } = this.#parts;
    const before = denials.get(node, serial);
    const { since, until, isUnaudited } = before ?? this.#newDenial(node, serial);
    if (before === undefined) {
      this.#change(() => denials.insert({ node, serial, since, until, isUnaudited }));
    }
    await failpoint("auth.revoke.denied");
    if (isUnaudited) {
      const target = nodeNameOf({ domain, node });
      await ledger.act({
        action: "node.revoke",
        target,
        outcome: "done",
        reason: serial ?? "all certificates",
      });
      denials.audited(node, serial);
      events.nodeRevoked(node);
    }
    return { node, serial, since: timeOf(since), until: until === null ? null : timeOf(until) };
  }

  /** What is over with time alone. */
  keepUp(): void {
    const { tokens, certificates, denials, now } = this.#parts;
    tokens.forget(now());
    certificates.forget(now());
    if (denials.all().some(({ until }) => until !== null && until <= now())) {
      this.#change(() => denials.forget(now()));
    }
  }

  #newDenial(node: string, serial: string | null): StoredDenial {
    const { certificates, now } = this.#parts;
    if (node === this.#parts.node && serial === null) {
      throw new RpcError("node_unknown", `${node} is the root authority's own node: it cannot revoke itself`);
    }
    const known = certificates.ofNode(node, now());
    const meant = known.find((each) => serial === null || each.serial === serial);
    if (meant === undefined) {
      const what = serial === null ? `node ${node}` : `certificate ${serial} of ${node}`;
      const how = "`catalyst identity show` lists those there are";
      throw new RpcError("node_unknown", `there is no good certificate of ${what}: ${how}`);
    }
    return { node, serial, since: now(), until: serial === null ? null : meant.expiresAt, isUnaudited: true };
  }

  async #consume(id: string, node: string, requests: SigningRequests): Promise<Chains> {
    const { tokens, certificates, now } = this.#parts;
    const usedBy = requestsDigest(requests);
    const given = this.#givenBefore(tokens.get(id), usedBy);
    if (given !== null) return given;
    const issued = await this.#issueAll(node, requests);
    const chains = chainsOf(issued);
    await failpoint("auth.enrol.signed");
    const isOurs = this.#changeIf(() => {
      if (!tokens.consume(id, usedBy, encodeMessage(chains), now())) return false;
      this.#readmit(node);
      for (const each of issued) certificates.insert(each.record);
      return true;
    });
    await failpoint("auth.enrol.consumed");
    if (isOurs) return chains;
    return this.#givenBefore(tokens.get(id), usedBy) ?? refuse("token_expired");
  }

  /** What the token was answered to these requests; null when it is still good. Throws when others consumed it. */
  #givenBefore(token: StoredJoinToken | undefined, usedBy: Uint8Array): Chains | null {
    if (token?.revokedAt != null) refuse("token_revoked");
    if (token === undefined || token.usedBy === null || token.answer === null) return null;
    if (!Buffer.from(token.usedBy).equals(usedBy)) refuse("token_used");
    return chainsOnDisk.parse(decodeMessage(token.answer, "message_malformed"));
  }

  /** A node that was revoked and joins again is admitted with its new certificates alone. */
  #readmit(node: string): void {
    const { denials, certificates, now } = this.#parts;
    const denial = denials.get(node, null);
    if (denial === undefined) return;
    for (const { serial, expiresAt } of certificates.ofNode(node, now())) {
      denials.insert({ node, serial, since: denial.since, until: expiresAt, isUnaudited: false });
    }
    denials.removeNode(node);
  }

  /** The names are the node's and the processes', whatever the requests say. */
  async #issueAll(node: string, requests: SigningRequests) {
    const { certificateAuthority, domain, now } = this.#parts;
    const asked = Object.entries(requests).map(([process, der]) => ({ process, key: keyOf(der) }));
    const keys = asked.map(({ key }) => key.export({ type: "spki", format: "der" }).toString("hex"));
    if (new Set(keys).size < keys.length) refuse("request_malformed", "two of its processes have one key");
    return Promise.all(
      asked.map(async ({ process, key }) => {
        const { chain, serial, expiresAt } = await certificateAuthority.issue({ domain, node, process }, key);
        return { process, chain, record: { serial, node, process, issuedAt: now(), expiresAt } };
      }),
    );
  }

  async #auditEnrolment(id: string, node: string): Promise<void> {
    const { tokens, ledger, events } = this.#parts;
    if (tokens.get(id)?.isUnaudited === false) return;
    await ledger.act({ action: "node.enrol", target: node, outcome: "done", reason: id });
    tokens.audited(id);
    events.enrolled(node);
  }

  #answer(node: string, chains: Chains): EnrolmentAnswer {
    return { domain: this.#parts.domain, node, chains, trust: this.#parts.trustPublisher.current() };
  }

  async #denied(action: string, node: string | null, error: unknown): Promise<void> {
    if (!(error instanceof EnrolmentRefusal)) return;
    this.#parts.events.enrolmentRefused(error.code);
    const allowance = node === null ? null : auditedDenials;
    await this.#auditDenial({ action, target: node ?? "unknown" }, error.code, allowance);
  }

  /** All strangers together have one allowance, which is null here; each node and each token's has its own. */
  async #auditDenial(asked: AskedAction, code: string, allowance: Allowance | null): Promise<void> {
    const { ledger, now } = this.#parts;
    const kind = allowance === null ? "strangers" : `${asked.action} ${asked.target} ${code}`;
    if (!this.#ration.takes(kind, allowance ?? auditedDenials, now())) return;
    await ledger.act({ ...asked, outcome: "denied", reason: code });
  }

  #change(make: () => void): void {
    this.#changeIf(() => {
      make();
      return true;
    });
  }

  #changeIf(make: () => boolean): boolean {
    const { database, version, onChange } = this.#parts;
    const changed = database.transaction(() => {
      const isChange = make();
      if (isChange) version.bump();
      return isChange;
    });
    if (changed) onChange();
    return changed;
  }
}

function chainsOf(issued: readonly { process: string; chain: readonly Uint8Array[] }[]): Chains {
  return Object.fromEntries(issued.map(({ process, chain }) => [process, chain]));
}

function keyOf(der: Uint8Array) {
  try {
    return readSigningRequest(der);
  } catch (error) {
    if (error instanceof IdentityError) return refuse("request_malformed", error.message);
    throw error;
  }
}

function refuse(code: EnrolmentRefusal["code"], detail?: string): never {
  throw new EnrolmentRefusal(code, detail);
}
