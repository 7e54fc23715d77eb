/** What Envoy's details of a request that it could not pass on mean, by what they hold; the first that fits counts. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^no_healthy_upstream/, "its host name has no address, or none that is well"],
  [/Connection_refused/, "nothing accepts connections there"],
  [/CERTIFICATE_VERIFY_FAILED/, "its certificate is not one that is believed here"],
  [/WRONG_VERSION_NUMBER/, "it does not speak TLS there: its URL may have to begin with http://"],
  [/TLS_error/, "no TLS connection with it comes about"],
  [/unreachable|No_route_to_host/i, "no way leads to its host"],
  [/connection_timeout|Connection_timed_out/, "it did not take the connection in time"],
  [/remote_connection_failure/, "no connection with it comes about"],
  [/protocol_error/, "it does not speak HTTP/1.1 there: its URL may have to begin with https://"],
  [/connection_termination|remote_reset/, "it broke off before it answered"],
];

/** Envoy's details in words, for operators, with Envoy's own behind them; those alone where there are no words. */
export function explainEnvoyDetails(details: string): string {
  const words = meanings.find(([pattern]) => pattern.test(details))?.[1];
  return words === undefined ? details : `${words}; Envoy: ${details}`;
}
