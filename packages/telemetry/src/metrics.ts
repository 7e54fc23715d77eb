import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry, Summary } from "prom-client";

/** One value for each label of the metric. Labels have few values: never a path, an id or a user's text. */
export type Labels<Name extends string> = Readonly<Record<Name, string | number>>;

/** Values of a gauge, with the labels of each. */
export type Readings<Name extends string> = Iterable<readonly [Labels<Name>, number]>;

export type CounterMetric<Name extends string> = { inc(labels: Labels<Name>, by?: number): void };
export type GaugeMetric<Name extends string> = { set(labels: Labels<Name>, value: number): void };
export type HistogramMetric<Name extends string> = { observe(labels: Labels<Name>, value: number): void };
export type SummaryMetric<Name extends string> = { observe(labels: Labels<Name>, value: number): void };

/**
 * The metrics of a process. A name is `<subsystem>_<name>_<unit>` in base units (`seconds`, `bytes`; counters end
 * in `_total`), and gets the prefix. A name is given once; giving it again throws.
 */
export type Metrics = {
  counter<Name extends string>(name: string, help: string, labels: readonly Name[]): CounterMetric<Name>;
  gauge<Name extends string>(name: string, help: string, labels: readonly Name[]): GaugeMetric<Name>;
  /** A gauge whose values are read whenever somebody asks for the metrics; those not among them are forgotten. */
  readGauge<Name extends string>(
    name: string,
    help: string,
    labels: readonly Name[],
    read: () => Readings<Name> | Promise<Readings<Name>>,
  ): void;
  /** `buckets`: upper bounds in rising order; default from 1 ms to 10 s, for seconds. */
  histogram<Name extends string>(
    name: string,
    help: string,
    labels: readonly Name[],
    buckets?: readonly number[],
  ): HistogramMetric<Name>;
  /** The quantiles 0.5, 0.9 and 0.99 over the last ten minutes: for one process alone, they cannot be added up. */
  summary<Name extends string>(name: string, help: string, labels: readonly Name[]): SummaryMetric<Name>;
  /** All values now, in Prometheus' text format. */
  text(): Promise<string>;
  readonly contentType: string;
};

const defaultBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Makes an empty set of metrics, besides those of the process itself (`process_…`, `nodejs_…`). */
export function createMetrics(prefix = "catalyst"): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const describe = <Name extends string>(name: string, help: string, labels: readonly Name[]) => ({
    name: `${prefix}_${name}`,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    counter: (name, help, labels) => {
      const counter = new Counter(describe(name, help, labels));
      return { inc: (values, by) => counter.inc(values, by) };
    },
    gauge: (name, help, labels) => {
      const gauge = new Gauge(describe(name, help, labels));
      return { set: (values, value) => gauge.set(values, value) };
    },
    readGauge: (name, help, labels, read) => {
      const gauge = new Gauge({
        ...describe(name, help, labels),
        collect: async () => {
          const readings = await read();
          gauge.reset();
          for (const [values, value] of readings) gauge.set(values, value);
        },
      });
    },
    histogram: (name, help, labels, buckets = defaultBuckets) => {
      const histogram = new Histogram({ ...describe(name, help, labels), buckets: [...buckets] });
      return { observe: (values, value) => histogram.observe(values, value) };
    },
    summary: (name, help, labels) => {
      const summary = new Summary({
        ...describe(name, help, labels),
        percentiles: [0.5, 0.9, 0.99],
        maxAgeSeconds: 600,
        ageBuckets: 2, // Each value goes into all of them.
      });
      return { observe: (values, value) => summary.observe(values, value) };
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
