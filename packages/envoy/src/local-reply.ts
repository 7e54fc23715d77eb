import type { JsonObject } from "@bufbuild/protobuf";
import type { AccessLogFilterSchema } from "@catalyst/xds/api/config/accesslog/v3/accesslog_pb";
import type { SubstitutionFormatStringSchema } from "@catalyst/xds/api/config/core/v3/substitution_format_string_pb";
import type {
  LocalReplyConfigSchema,
  ResponseMapperSchema,
} from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { gatewayName } from "./mesh.ts";
import { type Init, packedStruct } from "./message.ts";

type FilterInit = Init<typeof AccessLogFilterSchema>;
type MapperInit = Init<typeof ResponseMapperSchema>;

/** The code in `extensions.code` of an answer that Envoy gives by itself. */
export type LocalReplyCode =
  | "GATEWAY_UNAVAILABLE"
  | "GATEWAY_TIMEOUT"
  | "GATEWAY_OVERLOADED"
  | "SERVICE_UNAVAILABLE"
  | "SERVICE_TIMEOUT"
  | "SERVICE_OVERLOADED"
  | "HOST_NOT_FOUND"
  | "PATH_NOT_FOUND"
  | "REQUEST_REFUSED";

const unavailableFlags = ["UF", "UH", "UC", "URX", "LR", "UR", "NC", "DF"];
const service = { service: "%UPSTREAM_CLUSTER%" };
/** An upload that outgrew the buffer of a request that was to be tried again, which Envoy answers with 507. */
const uploadFailed = "request_payload_exceeded_retry_buffer_limit";

/**
 * Envoy's own answers as the errors of GraphQL: what failed, why, and the request's id. They name the service by
 * its cluster, so that no service needs an entry here. On `egress` they carry Envoy's own details, for the
 * gateway and its operator; clients are told the kind of failure, and no address.
 */
export function localReplies(listener: "edge" | "egress"): Init<typeof LocalReplyConfigSchema> {
  const why = listener === "edge" ? "%RESPONSE_FLAGS_LONG%" : "%RESPONSE_CODE_DETAILS%";
  const unreachable = {
    code: "SERVICE_UNAVAILABLE",
    message: `The service %UPSTREAM_CLUSTER% cannot be reached: ${why}.`,
    more: service,
  } as const;
  return {
    mappers: [
      mapper(all(toGateway(), flags(["UT"])), {
        code: "GATEWAY_TIMEOUT",
        message: "The GraphQL gateway did not answer in time.",
      }),
      mapper(all(toGateway(), flags(["UO"])), {
        code: "GATEWAY_OVERLOADED",
        message: "The GraphQL gateway has more requests than it takes. Try again shortly.",
        retryAfter: true,
      }),
      mapper(all(toGateway(), flags(unavailableFlags)), {
        code: "GATEWAY_UNAVAILABLE",
        message:
          "The GraphQL gateway is not available right now: it is restarting or not yet configured. Try again shortly.",
        retryAfter: true,
      }),
      mapper(flags(["UT"]), {
        code: "SERVICE_TIMEOUT",
        message: "The service %UPSTREAM_CLUSTER% did not answer in time.",
        more: service,
      }),
      mapper(flags(["UO"]), {
        code: "SERVICE_OVERLOADED",
        message: "The service %UPSTREAM_CLUSTER% has more requests than it takes. Try again shortly.",
        more: service,
        retryAfter: true,
      }),
      mapper(expression(`response.code_details == '${uploadFailed}'`), { ...unreachable, status: 503 }),
      mapper(flags(unavailableFlags), unreachable),
      mapper(flags(["NR"]), {
        code: "HOST_NOT_FOUND",
        message: "No service answers at the Host %REQ(:AUTHORITY)%.",
        more: { host: "%REQ(:AUTHORITY)%" },
      }),
      mapper(expression("response.code_details == 'direct_response'"), {
        code: "PATH_NOT_FOUND",
        message: "%LOCAL_REPLY_BODY%",
      }),
      mapper(expression("response.code >= 500"), {
        code: "REQUEST_REFUSED",
        message: `The request could not be answered: ${why}.`,
      }),
    ],
    bodyFormat: body("REQUEST_REFUSED", "The request was refused: %RESPONSE_CODE_DETAILS%."),
  };
}

type Reply = {
  readonly code: LocalReplyCode;
  readonly message: string;
  /** What `extensions` has besides the code and the request's id. */
  readonly more?: JsonObject;
  /** In place of the status that Envoy chose. */
  readonly status?: number;
  /** Says that the same request may succeed in a second. */
  readonly retryAfter?: boolean;
};

function mapper(filter: FilterInit, { code, message, more, status, retryAfter = false }: Reply): MapperInit {
  return {
    filter,
    bodyFormatOverride: body(code, message, more),
    ...(status === undefined ? {} : { statusCode: status }),
    ...(retryAfter ? { headersToAdd: [{ header: { key: "retry-after", value: "1" } }] } : {}),
  };
}

function body(
  code: LocalReplyCode,
  message: string,
  more: JsonObject = {},
): Init<typeof SubstitutionFormatStringSchema> {
  const extensions = { code, ...more, requestId: "%REQ(X-REQUEST-ID)%" };
  return {
    format: { case: "jsonFormat", value: { errors: [{ message, extensions }] } },
    omitEmptyValues: true,
    contentType: "application/json",
  };
}

function toGateway(): FilterInit {
  return expression(`xds.cluster_name.startsWith('${gatewayName}.')`);
}

function expression(text: string): FilterInit {
  const typedConfig = packedStruct("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", {
    expression: text,
  });
  return {
    filterSpecifier: {
      case: "extensionFilter",
      value: {
        name: "envoy.access_loggers.extension_filters.cel",
        configType: { case: "typedConfig", value: typedConfig },
      },
    },
  };
}

function flags(names: readonly string[]): FilterInit {
  return { filterSpecifier: { case: "responseFlagFilter", value: { flags: [...names] } } };
}

function all(...filters: FilterInit[]): FilterInit {
  return { filterSpecifier: { case: "andFilter", value: { filters } } };
}
