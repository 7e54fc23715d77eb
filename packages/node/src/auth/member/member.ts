import { setTimeout as sleep } from "node:timers/promises";
import {
  type EnrolmentAnswer,
  IdentityError,
  type IdentityFolder,
  peerTrustOf,
  type SigningRequests,
  type TokenJwk,
  type TrustDocument,
} from "@catalyst/identity";
import { type Credentials, RpcError, type TokenOrder } from "@catalyst/rpc";
import { Announcer } from "../../announcer.ts";
import { withKeys } from "../credentials/believed-keys.ts";
import { type AuthorityCall, renew, signRemotely, watchTrust } from "./authority-client.ts";
import { TrustAge } from "./trust-age.ts";

export type MemberParts = {
  readonly folder: IdentityFolder;
  readonly domain: string;
  readonly node: string;
  /** Keys of access tokens that are believed beside those of the root authority. */
  readonly believed: () => readonly TokenJwk[];
  readonly now: () => number;
  /** How old what the root authority said may be, to verify credentials by. */
  readonly maxStaleMs: number;
  /** What is believed is other than before. */
  readonly onTrust: (trust: TrustDocument) => void;
};

const firstPauseMs = 500;
const longestPauseMs = 15_000;
/** News are asked for this often at most, however fast the answers come. */
const betweenNewsMs = 100;

/** A node whose root authority is elsewhere: what it was told is on disk, so that the root may be away. */
export class Member {
  readonly #parts: MemberParts;
  readonly #announcer = new Announcer();
  readonly #age: TrustAge;
  #trust: TrustDocument;
  #isStale: boolean;
  /** Of the credentials: grows with every change of them. */
  #version: number;
  #problem: string | null = null;
  #rootSkewMs: number | null = null;

  /** Throws IdentityError `identity_damaged` for a folder of somebody who has not joined. */
  constructor(parts: MemberParts) {
    this.#parts = parts;
    const trust = parts.folder.trust();
    if (trust === null || trust.domain !== parts.domain) {
      throw new IdentityError(
        "identity_damaged",
        "what is believed in the organisation is not there: join again",
      );
    }
    this.#trust = trust;
    this.#version = trust.version;
    this.#age = new TrustAge({ folder: parts.folder, now: parts.now, maxMs: parts.maxStaleMs });
    this.#isStale = this.#age.isStale();
  }

  get trust(): TrustDocument {
    return this.#trust;
  }

  /** Why nothing new is heard of the root authority; null while it is. */
  get problem(): string | null {
    if (!this.#isStale) return this.#problem;
    const hours = this.#parts.maxStaleMs / 3_600_000;
    return `no credential is taken until the root authority is heard again, of which nothing was for more than ${hours} hours (auth.identity.maxStaleHours); ${this.#problem ?? "it is asked"}`;
  }

  /** How far the root authority's clock was ahead when it last answered, in ms; null as long as it did not. */
  get rootSkewMs(): number | null {
    return this.#rootSkewMs;
  }

  /** What credentials are verified by: nobody's are good by keys that are too old. */
  credentials(): Credentials {
    const { issuers, revoked } = this.#trust;
    const good = this.#isStale ? [] : withKeys(issuers, this.#parts.believed());
    return { version: this.#version, issuers: good, revoked };
  }

  /** Resolves as soon as the version of the credentials is another one, or when patience is over. */
  async credentialsAfter(version: number): Promise<Credentials> {
    if (this.#version === version) await this.#announcer.news();
    return this.credentials();
  }

  /** Resolves as soon as the version is another one, or when patience is over. */
  async after(version: number): Promise<TrustDocument> {
    if (this.#trust.version === version) await this.#announcer.news();
    return this.#trust;
  }

  /** The keys that the configuration names are others than before. */
  believedChanged(): void {
    this.#change(() => undefined);
  }

  /** What is due with time alone: keys that are too old are given up. */
  keepUp(): void {
    const isStale = this.#age.isStale();
    if (isStale !== this.#isStale) this.#change(() => (this.#isStale = isStale));
  }

  /** Listens to the root authority until the signal aborts. Never throws. */
  async listen(signal: AbortSignal): Promise<void> {
    let pauseMs = firstPauseMs;
    let heard = 0; // what is on disk may be older than a root that was restored
    while (!signal.aborted) {
      try {
        const trust = await watchTrust(this.#call(), heard, signal);
        heard = trust.version;
        this.#take(trust);
        pauseMs = firstPauseMs;
        await sleep(betweenNewsMs, undefined, { signal }).catch(() => undefined);
      } catch (error) {
        if (signal.aborted) break;
        this.#problem = `nothing new is heard of the root authority: ${(error as Error).message}`;
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
    this.#announcer.close();
  }

  async renew(requests: SigningRequests): Promise<EnrolmentAnswer> {
    const answer = await renew(this.#call(), requests);
    this.#take(answer.trust);
    return answer;
  }

  /** A token for a process of this node, signed where the keys are. Throws RpcError. */
  mint(asked: { subject: string; services: readonly string[]; ttlMs: number }) {
    const { domain, node } = this.#parts;
    const prefix = `spiffe://${domain}/node/${node}/`;
    if (!asked.subject.startsWith(prefix)) {
      throw new RpcError(
        "invalid_request",
        `${asked.subject} is not of this node: tokens are for ${prefix} alone`,
      );
    }
    const process = asked.subject.slice(prefix.length);
    return signRemotely(this.#call(), { process, services: asked.services, ttlMs: asked.ttlMs });
  }

  /** A token for a person or a program, signed where the keys are. Throws RpcError. */
  createToken(asked: TokenOrder) {
    return signRemotely(this.#call(), asked);
  }

  /** What only the root authority does. */
  elsewhere(): never {
    const where = this.#trust.authority.join(", ");
    throw new RpcError(
      "authority_elsewhere",
      `this node has joined ${this.#parts.domain}: ask at its root, ${where}`,
    );
  }

  #call(): AuthorityCall {
    const { folder, domain, now } = this.#parts;
    const identity = folder.process("auth");
    if (identity === null)
      throw new IdentityError("identity_damaged", "the certificate of auth is not there: join again");
    const trust = peerTrustOf(this.#trust);
    const onDate = (at: number) => {
      this.#rootSkewMs = Math.round(at - now());
    };
    return { addresses: this.#trust.authority, domain, trust, identity, now, onDate };
  }

  /** On disk first. A root authority that is served nowhere any more is still looked for where it was. */
  #take(heard: TrustDocument): void {
    const authority = heard.authority.length === 0 ? this.#trust.authority : heard.authority;
    const trust = { ...heard, authority };
    this.#problem = null;
    this.#age.heard();
    if (JSON.stringify(trust) !== JSON.stringify(this.#trust)) {
      this.#parts.folder.keepTrust(trust);
      this.#change(() => (this.#trust = trust));
      this.#parts.onTrust(trust);
    }
    this.keepUp();
  }

  #change(make: () => void): void {
    make();
    this.#version = Math.max(this.#version + 1, this.#trust.version);
    this.#announcer.announce();
  }
}
