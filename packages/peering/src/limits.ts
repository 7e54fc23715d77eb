/** What one peer may take; beyond it the session ends, and its routes are gone. */
export type PeerLimits = {
  /** Routes that it announces. Default 1,000,000. */
  readonly maxRoutes: number;
  /** Names and attributes of these routes, each counted as if it shared nothing. Default 536,870,912. */
  readonly maxBytes: number;
  /** Nodes from which it knows one service. Default 256. */
  readonly maxOrigins: number;
  /** Routes that it speaks of in a second, in the long run. Default 20,000. */
  readonly changesPerSecond: number;
  /** Routes that it speaks of at once; a session begins with all of them. Default 4,000,000. */
  readonly changesBurst: number;
};

export const defaultLimits: PeerLimits = {
  maxRoutes: 1_000_000,
  maxBytes: 536_870_912,
  maxOrigins: 256,
  changesPerSecond: 20_000,
  changesBurst: 4_000_000,
};
