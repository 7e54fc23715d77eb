import { AdjRibIn } from "./adj-rib-in.ts";
import type { AttributeSet } from "./attribute-set.ts";
import { Damping, type DampingOptions } from "./damping.ts";
import type { PeerLimits } from "./limits.ts";
import type { Outbound } from "./outbound.ts";
import type { Source } from "./path.ts";
import type { Judge } from "./policy.ts";
import { Rate } from "./rate.ts";

/** A session with a peer, as far as routes are concerned. */
export type Session = {
  readonly outbound: Outbound;
  readonly rate: Rate;
  /** The round with which it began: what is older was told in another session. */
  readonly firstRound: number;
  /** What the END_OF_RIB that ends the current round says; null when it has come. */
  awaited: number | null;
  /** Judgements of export, by the attributes that routes have here. */
  readonly exportJudges: WeakMap<AttributeSet, Judge>;
};

/** What is known of a peer, also while it is away. */
export class Peer implements Source {
  readonly node: string;
  readonly domain: string;
  readonly isOwnDomain: boolean;
  readonly rib = new AdjRibIn();
  readonly damping: Damping;
  session: Session | null = null;
  /** When what is stale is removed although no END_OF_RIB came; null while nothing is. */
  staleUntil: number | null = null;
  /** Judgements of import, by the attributes that routes came with. */
  readonly importJudges = new WeakMap<AttributeSet, Judge>();
  /** Attributes that could not be read, in this session and those before. */
  malformed = 0;

  constructor(node: string, domain: string, isOwnDomain: boolean, damping: DampingOptions) {
    this.node = node;
    this.domain = domain;
    this.isOwnDomain = isOwnDomain;
    this.damping = new Damping(damping);
  }

  beginSession(outbound: Outbound, limits: PeerLimits, now: number): void {
    this.rib.round += 1;
    this.session = {
      outbound,
      rate: new Rate(limits.changesPerSecond, limits.changesBurst, now),
      firstRound: this.rib.round,
      awaited: 0,
      exportJudges: new WeakMap(),
    };
  }
}
