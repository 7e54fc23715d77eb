/** A change, and how a client of Envoy sees that it is served. */
export type Sample = {
  /** Makes the change; resolves with the monotonic time in ns just before it did. */
  readonly change: () => Promise<bigint>;
  readonly served: () => Promise<boolean>;
};

/** One kind of change; `sample(n)` is the n-th of them, each different from the one before. */
export type Case = {
  readonly name: string;
  readonly samples: number;
  readonly sample: (at: number) => Sample;
};

/** What is measured: a control plane with its Envoy, and 10,000 services in place. */
export type Subject = AsyncDisposable & {
  readonly name: string;
  readonly cases: readonly Case[];
  /** What Envoy ever received from the control plane, in bytes on the socket. */
  readonly received: () => Promise<number>;
  /** The most memory that the control plane's process ever had, in MB. */
  readonly peakMegabytes: () => number;
};

export const services = 10_000;
