import type { JsonObject } from "@bufbuild/protobuf";
import type { AccessLogFilterSchema } from "@catalyst/xds/api/config/accesslog/v3/accesslog_pb";
import type { SubstitutionFormatStringSchema } from "@catalyst/xds/api/config/core/v3/substitution_format_string_pb";
import type { LocalReplyConfigSchema } from "@catalyst/xds/api/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { boundPolicy, revokedPolicy } from "./auth.ts";
import { credentialHeader, keylessHeader, unreachedHeader } from "./internal-headers.ts";
import { gatewayName, type MeshInput } from "./mesh.ts";
import { type Init, packedStruct } from "./message.ts";
import { serviceName, serviceNameFormatter } from "./service-name.ts";
import { jwtMetadata } from "./token-binding.ts";

type FilterInit = Init<typeof AccessLogFilterSchema>;

/** What failed: the gateway, or a service. */
type Subject = "GATEWAY" | "SERVICE";

/**
 * The code in `extensions.code` of an answer that Envoy gives by itself. With status 503 that may be over in a moment
 * goes `retry-after: 1`.
 *
 * | code | status | what to do |
 * |---|---|---|
 * | `…_UNAVAILABLE` | 503 | try again shortly; where the message says that the request may have been carried out, look first |
 * | `…_TIMEOUT` | 504 | ask for less at a time, or raise the service's `timeoutMs` |
 * | `…_OVERLOADED` | 503 | send fewer requests at a time; `retry-after` says when to send this one again |
 * | `…_BAD_RESPONSE` | 502 | what answers is no HTTP/1.1 server: correct the service's URL |
 * | `NODE_OVERLOADED` | 503 | Envoy is at the bound of its memory: send fewer requests at a time, or raise `mesh.envoy.maxMemoryMegabytes` |
 * | `HOST_NOT_FOUND` | 404 | correct the Host, or register the service: `catalyst service list` shows those there are |
 * | `PATH_NOT_FOUND` | 404 | the message says what the node serves where |
 * | `UNAUTHENTICATED` | 401 | send a credential that is good here: `authorization: Bearer …` or `x-api-key: …` |
 * | `FORBIDDEN` | 403 | use a credential that names the service: `catalyst apikey create --service …` makes one; one that is bound to a certificate is good with that certificate alone |
 * | `AUTH_UNAVAILABLE` | 503 | the node does not know its keys yet: try again shortly, and see `catalyst status` |
 * | `REQUEST_REFUSED` | as the message says | correct the request: it is malformed, too large, too slow, or of a kind that is not taken |
 */
export type LocalReplyCode =
  | `${Subject}_${"UNAVAILABLE" | "TIMEOUT" | "OVERLOADED" | "BAD_RESPONSE"}`
  | "NODE_OVERLOADED"
  | "HOST_NOT_FOUND"
  | "PATH_NOT_FOUND"
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "AUTH_UNAVAILABLE"
  | "REQUEST_REFUSED";

/** Stands in messages for the name of the service that the request is for. */
const theService = "%SERVICE%";

type Reply = {
  readonly when: FilterInit;
  readonly code: LocalReplyCode;
  readonly message: string;
  /** What `extensions` has besides the code and the request's id. */
  readonly more?: { readonly service?: string; readonly host?: string };
  /** In place of the status that Envoy chose. */
  readonly status?: number;
  /** Says that the same request may succeed in a second. */
  readonly retryAfter?: boolean;
  /** Nothing of the request has reached the service. */
  readonly unreached?: boolean;
  /** Says which kind of credential is asked for. */
  readonly challenge?: boolean;
};

/**
 * Envoy's own answers as the errors of GraphQL: what failed, what to do, and the request's id, under which the access
 * log has the rest. They name the service by its route or its scope, so that no service needs an entry here. Who stands inside, the
 * gateway and services on this machine, is told Envoy's own details besides, which hold addresses; other nodes are told
 * whether the request may go another way.
 */
export function localReplies(
  audience: "clients" | "inside" | "nodes",
  { domain }: MeshInput,
): Init<typeof LocalReplyConfigSchema> {
  const details: JsonObject = audience === "inside" ? { details: "%RESPONSE_CODE_DETAILS%" } : {};
  return {
    mappers: [
      ...failures("GATEWAY"),
      ...failures("SERVICE"),
      ...access,
      notForNode,
      ...notServed,
      ...refusals,
    ].map((reply) => ({
      filter: reply.when,
      bodyFormatOverride: body(reply, details, domain),
      ...(reply.status === undefined ? {} : { statusCode: reply.status }),
      headersToAdd: [
        ...(reply.retryAfter === true ? [{ header: { key: "retry-after", value: "1" } }] : []),
        ...(reply.unreached === true && audience === "nodes"
          ? [{ header: { key: unreachedHeader, value: "true" } }]
          : []),
        ...(reply.challenge === true ? [{ header: { key: "www-authenticate", value: "Bearer" } }] : []),
      ],
    })),
    bodyFormat: body(otherRefusal, details, domain),
  };
}

/** The request did not come through to the gateway or to a service, or its answer did not come back. */
function failures(subject: Subject): Reply[] {
  const toService = subject === "SERVICE";
  const name = toService ? `The service ${theService}` : "The GraphQL gateway";
  const about = (filter: FilterInit) => (toService ? filter : all(toGateway(), filter));
  const more = toService ? { service: theService } : {};
  const away = {
    code: `${subject}_UNAVAILABLE`,
    message: `${name} is not available right now: it is down, restarting or not yet configured. Try again shortly.`,
    more,
    status: 503,
    retryAfter: true,
    unreached: true,
  } as const;
  const late = { code: `${subject}_TIMEOUT`, message: `${name} did not answer in time.`, more } as const;
  return [
    { when: about(flags(["UT"])), ...late },
    // What a credential lets in has a time of its own: an answer that did not begin within it.
    { when: about(detailed("max_duration_timeout")), ...late },
    {
      when: about(flags(["UO"])),
      code: `${subject}_OVERLOADED`,
      message: `${name} has more requests than it takes. Try again shortly.`,
      more,
      retryAfter: true,
      unreached: true,
    },
    {
      when: about(flags(["UPE"])),
      code: `${subject}_BAD_RESPONSE`,
      message: `${name} answered with something that is not HTTP.`,
      more,
    },
    {
      when: about(flags(["UC", "UR"])),
      code: `${subject}_UNAVAILABLE`,
      message: `${name} broke the connection before it answered: the request may have been carried out.`,
      more,
    },
    { when: about(flags(["UF", "UH", "NC", "DF"])), ...away },
    { when: about(flags(["URX", "LR"])), ...away, unreached: false },
    // An upload that outgrew what is kept of a request until it is tried again: Envoy says 507.
    { when: about(detailed("request_payload_exceeded_retry_buffer_limit")), ...away, unreached: false },
  ];
}

const keyless = {
  code: "AUTH_UNAVAILABLE",
  message: "This node cannot verify credentials right now: it does not know its keys yet. Try again shortly.",
  status: 503,
  retryAfter: true,
} as const;

/** What the filters refuse that look at credentials. */
const access: readonly Reply[] = [
  {
    when: denied(boundPolicy),
    code: "FORBIDDEN",
    message:
      "The credential is bound to a client certificate which this request does not come with: send it over TLS from who has the certificate's key.",
  },
  {
    when: all(denied("none"), given(credentialHeader), expression("xds.route_name != ''")),
    code: "FORBIDDEN",
    message: `The credential does not cover the service ${theService}: use one that names it.`,
    more: { service: theService },
  },
  {
    when: all(denied("none"), given(credentialHeader)),
    code: "FORBIDDEN",
    message: "The credential does not cover the service at the Host %REQ(:AUTHORITY):256%.",
  },
  { when: all(denied("none"), given(keylessHeader)), ...keyless },
  // Envoy has not got the filters' configuration, or not one that it takes.
  { when: flags(["NFCF"]), ...keyless },
  unauthenticated(denied(revokedPolicy), "The credential was revoked."),
  unauthenticated(
    all(
      denied("none"),
      expression(`metadata.filter_metadata["${jwtMetadata}"].failed.message == "Jwt is expired"`),
    ),
    "The credential has expired.",
  ),
  ...["x-api-key", "authorization"].map((header) =>
    unauthenticated(
      all(denied("none"), given(header)),
      `What the request has in \`${header}\` is no credential of this node's: it was changed or cut off, has signs before or behind it, or comes from elsewhere. \`catalyst explain apikey\` says which.`,
    ),
  ),
  unauthenticated(
    denied("none"),
    "This needs a credential of this node's: send it as `authorization: Bearer …` or as `x-api-key: …`.",
  ),
];

function given(header: string): FilterInit {
  const value = { name: header, headerMatchSpecifier: { case: "presentMatch" as const, value: true } };
  return { filterSpecifier: { case: "headerFilter", value: { header: value } } };
}

function unauthenticated(when: FilterInit, message: string): Reply {
  return { when, code: "UNAUTHENTICATED", message, status: 401, challenge: true };
}

/** Refused by the policy of an RBAC filter; `none` where no policy allows. */
function denied(policy: string): FilterInit {
  return detailed(`rbac_access_denied_matched_policy[${policy}]`);
}

/** What the rules of a service, or the mesh listener itself, refuse to another node. */
const notForNode: Reply = {
  when: expression("response.code_details.startsWith('rbac_access_denied')"),
  code: "FORBIDDEN",
  message: `The node that has the service ${theService} does not give it to this one: see its rules of export.`,
  more: { service: theService },
};

const notServed: readonly Reply[] = [
  {
    when: detailed("overload"),
    code: "NODE_OVERLOADED",
    message: "This node has more requests than it takes. Try again shortly.",
    status: 503,
    retryAfter: true,
  },
  {
    when: flags(["NR"]),
    code: "HOST_NOT_FOUND",
    message: "No service answers at the Host %REQ(:AUTHORITY):256%.",
    more: { host: "%REQ(:AUTHORITY):256%" },
    unreached: true,
  },
  { when: detailed("direct_response"), code: "PATH_NOT_FOUND", message: "%LOCAL_REPLY_BODY%" },
];

const refusals: readonly Reply[] = [
  refusal(400, "it is malformed, or its path holds an escaped slash"),
  refusal(408, "it was not complete in time"),
  refusal(431, "its headers are too many or too large"),
];

const otherRefusal = {
  code: "REQUEST_REFUSED",
  message:
    "The request was refused with status %RESPONSE_CODE%: this node does not take requests of its kind.",
} as const;

function refusal(status: number, why: string): Reply {
  const when = expression(`response.code == ${status}`);
  return { when, code: "REQUEST_REFUSED", message: `The request was refused: ${why}.` };
}

function body(
  { code, message, more }: Omit<Reply, "when">,
  details: JsonObject,
  domain: string,
): Init<typeof SubstitutionFormatStringSchema> {
  const named = (text: string) => text.replaceAll(theService, serviceName(domain));
  const extensions = {
    code,
    ...(more?.service === undefined ? more : { ...more, service: named(more.service) }),
    requestId: "%REQ(X-REQUEST-ID)%",
    ...details,
  };
  return {
    format: { case: "jsonFormat", value: { errors: [{ message: named(message), extensions }] } },
    omitEmptyValues: true,
    formatters: [serviceNameFormatter],
    contentType: "application/json",
  };
}

/** Envoy's word for how it came to answer by itself. */
function detailed(details: string): FilterInit {
  return expression(`response.code_details == '${details}'`);
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
