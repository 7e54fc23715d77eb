import type { JsonObject } from "@bufbuild/protobuf";
import {
  type AccessLogFilterSchema,
  type AccessLogSchema,
  ComparisonFilter_Op,
} from "@catalyst/xds/api/config/accesslog/v3/accesslog_pb";
import { StdoutAccessLogSchema } from "@catalyst/xds/api/extensions/access_loggers/stream/v3/stream_pb";
import type { AccessLogging, MeshInput } from "./mesh.ts";
import { type Init, packed } from "./message.ts";
import { serviceNameFormatter, serviceNameOrNull } from "./service-name.ts";

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
  upstream: "%UPSTREAM_HOST%",
  client: "%DOWNSTREAM_REMOTE_ADDRESS%",
  caller: "%REQ(X-CATALYST-CALLER):256%",
  credential: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:failed)%",
  bytesIn: "%BYTES_RECEIVED%",
  bytesOut: "%BYTES_SENT%",
};

/** One line for each connection of a TCP service. */
const connectionFields = {
  time: fields.time,
  level: fields.level,
  process: fields.process,
  msg: "connection",
  service: "%REQUESTED_SERVER_NAME%",
  details: "%CONNECTION_TERMINATION_DETAILS%",
  flags: fields.flags,
  durationMs: fields.durationMs,
  upstream: fields.upstream,
  client: fields.client,
  bytesIn: fields.bytesIn,
  bytesOut: fields.bytesOut,
};

/** The access log of what takes TCP connections, on Envoy's standard output. */
export function connectionLog(listener: string, logging: AccessLogging): Init<typeof AccessLogSchema>[] {
  if (logging === "none") return [];
  return [stdout({ ...connectionFields, listener }, logging === "all" ? null : flagged)];
}

/** The access log of a listener, on Envoy's standard output, whatever that is: `/dev/stdout` opens no socket. */
export function accessLog(
  listener: string,
  { accessLog: logging = "all", domain }: MeshInput,
): Init<typeof AccessLogSchema>[] {
  if (logging === "none") return [];
  const service = serviceNameOrNull(domain);
  return [stdout({ ...fields, service, listener }, logging === "all" ? asked : failed)];
}

function stdout(jsonFormat: JsonObject, filter: FilterInit | null): Init<typeof AccessLogSchema> {
  const accessLogFormat = {
    case: "logFormat" as const,
    value: {
      format: { case: "jsonFormat" as const, value: jsonFormat },
      omitEmptyValues: true,
      formatters: [serviceNameFormatter],
    },
  };
  return {
    name: "envoy.access_loggers.stdout",
    ...(filter === null ? {} : { filter }),
    configType: { case: "typedConfig", value: packed(StdoutAccessLogSchema, { accessLogFormat }) },
  };
}

/** Not what nodes ask each other every second. */
const asked: FilterInit = { filterSpecifier: { case: "notHealthCheckFilter", value: {} } };

/** Connections that did not end as their two ends wished. */
const flagged: FilterInit = { filterSpecifier: { case: "responseFlagFilter", value: {} } };

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
