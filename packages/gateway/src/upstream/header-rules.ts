import type { IncomingHttpHeaders } from "node:http";
import type { AnswerHeaders, ForwardedHeaders } from "../service.ts";
import { type HeaderOptions, type RequestRule, type ResponseRule, untouchable } from "./header-options.ts";

/**
 * What goes to every service without a rule: who asks and, as this node's Envoy tells it, by which client certificate; in
 * which language; and in which trace.
 */
const always: readonly RequestRule[] = [
  ...["authorization", "x-api-key", "x-catalyst-client-certificate", "accept-language"],
  ...["traceparent", "tracestate", "baggage"],
].map((name) => ({ name }));

/** What {@link HeaderOptions} say, made ready to be applied to every request. */
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

function selects({ name, prefix = "" }: ResponseRule, header: string): boolean {
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
