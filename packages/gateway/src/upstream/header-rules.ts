import type { IncomingHttpHeaders } from "node:http";
import { option, z } from "@catalyst/config";
import { labelPattern } from "@catalyst/rpc";
import type { AnswerHeaders } from "../service.ts";

/** Headers of one connection, of one body, and those that the gateway and Envoy set: no rule moves them. */
const untouchable =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept|accept-encoding|x-request-id|date|server|(?:content|proxy|sec|x-catalyst|x-envoy|x-jwt)-.*|x-forwarded-client-cert)$/;

/** What goes to every service without a rule: who asks, in which language, and in which trace. */
const always: readonly RequestRule[] = [
  ...["authorization", "x-api-key", "accept-language"],
  ...["traceparent", "tracestate", "baggage"],
].map((name) => ({ name }));

const headerName = z
  .string()
  .regex(/^[a-z0-9-]+$/, "must be a header name in lower case")
  .refine((name) => !untouchable.test(name), "is set by the gateway or by Envoy");

const selection = {
  name: headerName.optional(),
  prefix: z
    .string()
    .regex(/^[a-z0-9-]+$/, "must be the beginning of a header name in lower case")
    .optional(),
  services: z.array(z.string().regex(labelPattern, "must be the name of a service")).min(1).optional(),
  as: headerName.optional(),
};

const requestRule = z
  .strictObject({
    ...selection,
    value: z
      .string()
      .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
      .optional(),
    remove: z.boolean().optional(),
  })
  .superRefine((rule, context) => {
    requireOneSelector(rule, context);
    const actions = [rule.as !== undefined, rule.value !== undefined, rule.remove === true];
    if (actions.filter(Boolean).length > 1) {
      context.addIssue({ code: "custom", message: "has more than one of `as`, `value` and `remove`" });
    }
    if (rule.prefix !== undefined && rule.value !== undefined) {
      context.addIssue({ code: "custom", path: ["value"], message: "needs a `name`" });
    }
  });
type RequestRule = z.output<typeof requestRule>;

const responseRule = z
  .strictObject({ ...selection, merge: z.enum(["first", "last", "all"]).optional() })
  .superRefine(requireOneSelector);
type ResponseRule = z.output<typeof responseRule>;

type Selector = { readonly name?: string | undefined; readonly prefix?: string | undefined };

function requireOneSelector(
  rule: Selector & { readonly as?: string | undefined },
  context: z.RefinementCtx,
): void {
  if ((rule.name === undefined) === (rule.prefix === undefined)) {
    context.addIssue({ code: "custom", message: "needs either a `name` or a `prefix`" });
  }
  if (rule.prefix !== undefined && rule.as !== undefined) {
    context.addIssue({ code: "custom", path: ["as"], message: "needs a `name`" });
  }
}

/** The section `headers`: which headers travel between clients and services. */
export const headerOptions = z
  .strictObject({
    request: option(z.array(requestRule).default([]), {
      description:
        "Which of a client's headers go on to services besides authorization, x-api-key, accept-language and trace context. Each rule has a `name` or a `prefix`, optionally the `services` that it is for, and at most one of `as` (another name), `value` (a constant) and `remove`; of two rules the later one wins.",
    }),
    response: option(z.array(responseRule).default([]), {
      description:
        "Which headers of services' answers go to the client; none by default. Each rule has a `name` or a `prefix`, optionally `services`, `as`, and `merge`, which says whose value counts when several services send one: `first`, `last` (the default) or `all`. Of set-cookie all are kept.",
    }),
  })
  .prefault({});
export type HeaderOptions = z.output<typeof headerOptions>;

/** Headers of a client's request as they travel on. */
export type ForwardedHeaders = {
  readonly headers: Readonly<Record<string, string>>;
  /** In place of `headers`, for services that a rule names. */
  readonly headersFor?: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

/** What {@link headerOptions} say, made ready to be applied to every request. */
export type HeaderRules = {
  /** The headers of a client's request that go to services: a part of the request's scope. */
  forward(incoming: IncomingHttpHeaders): ForwardedHeaders;
  /** Adds to `sink` what goes to the client of a service's answer; null when no rule says that anything does. */
  readonly collect:
    | ((
        service: string,
        answer: IncomingHttpHeaders | Record<string, string | string[]>,
        sink: AnswerHeaders,
      ) => void)
    | null;
  /** Whether a rule may select headers of this service's answers. */
  collectsFrom(service: string): boolean;
};

/** Compiles the rules once; what they cost per request is what they move. */
export function compileHeaderRules(options: HeaderOptions): HeaderRules {
  const request = [...always, ...options.request];
  const general = stepsOf(request.filter(({ services }) => services === undefined));
  const named = new Set(request.flatMap(({ services }) => services ?? []));
  const special = [...named].map(
    (service) => [service, stepsOf(request.filter((rule) => isFor(rule, service)))] as const,
  );
  return {
    forward: (incoming) => {
      const headers = applySteps(general, incoming);
      if (special.length === 0) return { headers };
      return {
        headers,
        headersFor: new Map(special.map(([service, steps]) => [service, applySteps(steps, incoming)])),
      };
    },
    collect: options.response.length === 0 ? null : collector(options.response),
    collectsFrom: (service) => options.response.some((rule) => isFor(rule, service)),
  };
}

function isFor({ services }: { readonly services?: readonly string[] | undefined }, service: string) {
  return services === undefined || services.includes(service);
}

type Step = (incoming: IncomingHttpHeaders, headers: Record<string, string>) => void;

function stepsOf(rules: readonly RequestRule[]): readonly Step[] {
  return rules.map(stepOf);
}

function applySteps(steps: readonly Step[], incoming: IncomingHttpHeaders): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const step of steps) step(incoming, headers);
  return headers;
}

function stepOf({ name, prefix = "", as, value, remove }: RequestRule): Step {
  if (name === undefined) return remove === true ? removePrefixed(prefix) : copyPrefixed(prefix);
  if (remove === true) {
    return (_, headers) => {
      delete headers[name];
    };
  }
  if (value !== undefined) {
    return (_, headers) => {
      headers[name] = value;
    };
  }
  const to = as ?? name;
  return (incoming, headers) => {
    const given = incoming[name];
    if (given !== undefined) headers[to] = oneValue(given);
  };
}

function copyPrefixed(prefix: string): Step {
  return (incoming, headers) => {
    for (const name in incoming) {
      const given = incoming[name];
      if (given !== undefined && name.startsWith(prefix) && !untouchable.test(name)) {
        headers[name] = oneValue(given);
      }
    }
  };
}

function removePrefixed(prefix: string): Step {
  return (_, headers) => {
    for (const name in headers) if (name.startsWith(prefix)) delete headers[name];
  };
}

function oneValue(given: string | readonly string[]): string {
  return typeof given === "string" ? given : given.join(", ");
}

/** Values of one name that are kept: what a service may make of the client's answer is bounded. */
const maxValues = 50;
/** What node:http takes for a value. */
const sendable = /^[\t\x20-\x7e\x80-\xff]*$/;

function collector(rules: readonly ResponseRule[]): NonNullable<HeaderRules["collect"]> {
  return (service, answer, sink) => {
    for (const name in answer) {
      const given = answer[name];
      if (given === undefined || untouchable.test(name)) continue;
      const rule = rules.findLast((each) => isFor(each, service) && selects(each, name));
      if (rule === undefined) continue;
      const values = (typeof given === "string" ? [given] : given).filter((value) => sendable.test(value));
      if (values.length > 0) merge(sink, rule.as ?? name, values, rule.merge ?? "last");
    }
  };
}

function selects({ name, prefix = "" }: Selector, header: string): boolean {
  return name === undefined ? header.startsWith(prefix) : name === header;
}

function merge(
  sink: AnswerHeaders,
  name: string,
  values: readonly string[],
  how: NonNullable<ResponseRule["merge"]>,
): void {
  const known = sink.get(name);
  if (known === undefined) sink.set(name, values.slice(0, maxValues));
  else if (how === "all" || name === "set-cookie") sink.set(name, [...known, ...values].slice(0, maxValues));
  else if (how === "last") sink.set(name, values.slice(0, maxValues));
}
