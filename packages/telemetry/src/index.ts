export { createLogger, type LogFunction, type Logger, type LoggerOptions, type LogLevel } from "./logger.ts";
export {
  type CounterMetric,
  createMetrics,
  type GaugeMetric,
  type HistogramMetric,
  type Labels,
  type Metrics,
} from "./metrics.ts";
export { createOps, type Liveness, type OpsHandler, type OpsParts, type Readiness } from "./ops.ts";
export { type TelemetryOptions, telemetryOptions } from "./options.ts";
export { REQUEST_ID_HEADER, type RequestHeaders, requestIdOf } from "./request-id.ts";
