/** Where Envoy takes what the gateway asks services: an address, or a Unix socket. */
export type Egress = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** The same as those need it that connect. */
export type EgressOrigin = {
  /** Of requests; one on a socket has no host, and says so. */
  readonly http: string;
  /** What a path is put behind for a WebSocket. */
  readonly webSocket: string;
  readonly over: { readonly socketPath?: string };
};

export function originOf(egress: Egress): EgressOrigin {
  if ("socketPath" in egress) {
    const { socketPath } = egress;
    return { http: "http://egress", webSocket: `ws+unix:${socketPath}:`, over: { socketPath } };
  }
  const host = egress.host.includes(":") ? `[${egress.host}]` : egress.host;
  const address = `${host}:${egress.port}`;
  return { http: `http://${address}`, webSocket: `ws://${address}`, over: {} };
}
