export type { LogLevel } from "./log-level.ts";
export { createLogger, type LogFunction, type Logger, type LoggerOptions } from "./logger.ts";
export {
  type CounterMetric,
  createMetrics,
  type GaugeMetric,
  type HistogramMetric,
  type Labels,
  type Metrics,
  type SummaryMetric,
} from "./metrics.ts";
export { createOps, type Liveness, type OpsHandler, type OpsParts, type Readiness } from "./ops.ts";
export { REQUEST_ID_HEADER, type RequestHeaders, requestIdOf } from "./request-id.ts";
