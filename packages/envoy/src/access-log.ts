import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  ComparisonFilter_Op,
} from "@catalyst/xds/api/config/accesslog/v3/accesslog_pb";
import { StdoutAccessLogSchema } from "@catalyst/xds/api/extensions/access_loggers/stream/v3/stream_pb";
import type { AccessLogging } from "./mesh.ts";
import { type Init, packed } from "./message.ts";

type FilterInit = Init<typeof AccessLogFilterSchema>;

/**
 * One line of JSON for each request. The path is without its query, which may hold secrets; what a client chooses is
 * cut, so that nobody fills the disk with long requests.
 */
const fields = {
  time: "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
  level: "info",
  process: "envoy",
  msg: "request",
  requestId: "%REQ(X-REQUEST-ID)%",
  method: "%REQ(:METHOD):32%",
  host: "%REQ(X-FORWARDED-HOST?:AUTHORITY):256%",
  path: "%PATH(NQ:ORIG_OR_PATH):256%",
  protocol: "%PROTOCOL%",
  status: "%RESPONSE_CODE%",
  details: "%RESPONSE_CODE_DETAILS%",
  flags: "%RESPONSE_FLAGS%",
  durationMs: "%DURATION%",
  service: "%ROUTE_NAME%",
  upstream: "%UPSTREAM_HOST%",
  client: "%DOWNSTREAM_REMOTE_ADDRESS%",
  caller: "%REQ(X-CATALYST-CALLER):256%",
  credential: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:failed)%",
  bytesIn: "%BYTES_RECEIVED%",
  bytesOut: "%BYTES_SENT%",
};

/** The access log of a listener, on Envoy's standard output, whatever that is: `/dev/stdout` opens no socket. */
export function accessLog(listener: string, logging: AccessLogging): Init<typeof AccessLogSchema>[] {
  if (logging === "none") return [];
  const log: Init<typeof AccessLogSchema> = {
    name: "envoy.access_loggers.stdout",
    configType: {
      case: "typedConfig",
      value: packed(StdoutAccessLogSchema, {
        accessLogFormat: {
          case: "logFormat",
          value: {
            format: { case: "jsonFormat", value: { ...fields, listener } },
            omitEmptyValues: true,
          },
        },
      }),
    },
  };
  return [{ ...log, filter: logging === "all" ? asked : failed }];
}

/** Not what nodes ask each other every second. */
const asked: FilterInit = { filterSpecifier: { case: "notHealthCheckFilter", value: {} } };

const failed: FilterInit = {
  filterSpecifier: {
    case: "statusCodeFilter",
    value: {
      comparison: {
        op: ComparisonFilter_Op.GE,
        value: { defaultValue: 500, runtimeKey: "catalyst.access_log.failure" },
      },
    },
  },
};
