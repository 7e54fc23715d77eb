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
  | "SERVICE_UNAVAILABLE"
  | "SERVICE_TIMEOUT"
  | "HOST_NOT_FOUND"
  | "PATH_NOT_FOUND"
  | "REQUEST_REFUSED";

const unavailableFlags = ["UF", "UH", "UC", "UO", "URX", "LR", "UR", "NC", "DF"];

/**
 * Envoy's own answers as the errors of GraphQL: what failed, why, and the request's id. They name the service
 * by its cluster, so that no service needs an entry here.
 */
export const localReplies: Init<typeof LocalReplyConfigSchema> = {
  mappers: [
    mapper(all(toGateway(), flags(["UT"])), "GATEWAY_TIMEOUT", "The GraphQL gateway did not answer in time."),
    mapper(
      all(toGateway(), flags(unavailableFlags)),
      "GATEWAY_UNAVAILABLE",
      "The GraphQL gateway is not available right now: it is restarting or not yet configured. Try again shortly.",
    ),
    mapper(flags(["UT"]), "SERVICE_TIMEOUT", "The service %UPSTREAM_CLUSTER% did not answer in time.", {
      service: "%UPSTREAM_CLUSTER%",
    }),
    mapper(
      flags(unavailableFlags),
      "SERVICE_UNAVAILABLE",
      "The service %UPSTREAM_CLUSTER% cannot be reached: %RESPONSE_CODE_DETAILS%.",
      {
        service: "%UPSTREAM_CLUSTER%",
      },
    ),
    mapper(flags(["NR"]), "HOST_NOT_FOUND", "No service answers at the Host %REQ(:AUTHORITY)%.", {
      host: "%REQ(:AUTHORITY)%",
    }),
    mapper(expression("response.code_details == 'direct_response'"), "PATH_NOT_FOUND", "%LOCAL_REPLY_BODY%"),
  ],
  bodyFormat: body("REQUEST_REFUSED", "The request was refused: %RESPONSE_CODE_DETAILS%."),
};

function mapper(
  filter: FilterInit,
  code: LocalReplyCode,
  message: string,
  more: JsonObject = {},
): MapperInit {
  return { filter, bodyFormatOverride: body(code, message, more) };
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
