import assert from "node:assert/strict";
import { test } from "node:test";
import { explainEnvoyDetails } from "./envoy-details.ts";

const reset = (why: string) => `upstream_reset_before_response_started{${why}}`;
const tls = (why: string) =>
  reset(`remote_connection_failure|TLS_error:|268435703:SSL_routines:${why}:TLS_error_end`);

test("what Envoy says of a request that failed is told in words, with its own behind them", () => {
  for (const [details, words] of [
    [
      reset("remote_connection_failure|delayed_connect_error:_Connection_refused"),
      /^nothing accepts connections there; /,
    ],
    [reset("connection_termination"), /^it broke off before it answered; /],
    [reset("protocol_error"), /^it does not speak HTTP\/1\.1 there/],
    [reset("connection_timeout"), /^it did not take the connection in time; /],
    [tls("OPENSSL_internal:WRONG_VERSION_NUMBER"), /^it does not speak TLS there/],
    [tls("OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"), /^its certificate is not one that is believed/],
    [tls("OPENSSL_internal:NO_SHARED_CIPHER"), /^no TLS connection/],
    ["no_healthy_upstream", /^its host name has no address/],
  ] as const) {
    const told = explainEnvoyDetails(details);
    assert.match(told, words);
    assert.ok(told.endsWith(`; Envoy: ${details}`), told);
  }
  assert.equal(explainEnvoyDetails("via_upstream"), "via_upstream");
});
