import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { GatewayError } from "../errors.ts";
import type { SubRequestOutcome, SubRequestRecord } from "../events.ts";
import type { ServiceTarget } from "../service.ts";
import { headerOptions } from "../upstream/header-options.ts";
import { compileHeaderRules } from "../upstream/header-rules.ts";
import { ServiceFailures } from "../upstream/service-failures.ts";
import { subOperation } from "../upstream/sub-operation.ts";
import { createUpstream, type Upstream } from "../upstream/upstream.ts";
import { upstreamOptions } from "../upstream/upstream-options.ts";
import { silentEvents, targetOf } from "./test-gateway.ts";
import { serveRaw, type TestService } from "./test-services.ts";

/** An upstream with one service behind it, and what became known of the requests. */
export type TestUpstream = {
  readonly upstream: Upstream;
  readonly service: TestService;
  readonly target: ServiceTarget;
  readonly outcomes: SubRequestOutcome[];
  /** States of the breaker, in order. */
  readonly breaker: string[];
  readonly failures: ServiceFailures;
  retried: number;
  shared: number;
};

export type TestUpstreamSettings = {
  readonly target?: Partial<ServiceTarget>;
  /** Of the section `upstream`; nothing is sent again when left out. */
  readonly options?: object;
  /** Of the section `headers`. */
  readonly headers?: object;
};

export type Answering = (response: ServerResponse, request: IncomingMessage) => unknown;

export const query = { operation: subOperation("query", "{ a }") };
export const mutation = { operation: subOperation("mutation", "mutation { a }") };
export const subscription = { operation: subOperation("subscription", "subscription { a }") };

/** Runs a test against a service that answers like that. */
export async function withService(
  answer: Answering,
  test: (parts: TestUpstream) => Promise<void>,
  { target = {}, options = { retries: 0, maxBytes: 2_000 }, headers = {} }: TestUpstreamSettings = {},
): Promise<void> {
  const outcomes: SubRequestOutcome[] = [];
  const breaker: string[] = [];
  const events = {
    ...silentEvents,
    subRequest: ({ outcome }: SubRequestRecord) => void outcomes.push(outcome),
    subRequestRetried: () => {
      parts.retried += 1;
    },
    subRequestShared: () => {
      parts.shared += 1;
    },
    breaker: (_: string, state: string) => void breaker.push(state),
  };
  const failures = new ServiceFailures();
  const rules = compileHeaderRules(headerOptions.parse(headers));
  await using service = await serveRaw((request, response) => void answer(response, request));
  await using upstream = createUpstream(events, upstreamOptions.parse(options), { failures, headers: rules });
  upstream.useEgress({ host: "127.0.0.1", port: service.port });
  const counts = { retried: 0, shared: 0 };
  const parts = {
    upstream,
    service,
    target: targetOf("reviews", target),
    outcomes,
    breaker,
    failures,
    ...counts,
  };
  await test(parts);
}

/** An answer as Envoy gives it in place of a service. */
export function envoyReply(code: string, details = "upstream_reset{remote_address:10.0.0.7:77}"): string {
  const message = "The service reviews is not available right now.";
  return JSON.stringify({ errors: [{ message, extensions: { code, service: "reviews", details } }] });
}

export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; service?: string }> {
  const error = await promise.then(
    () => assert.fail("it did not fail"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return { code: error.code, message: error.message, ...(error.service ? { service: error.service } : {}) };
}
