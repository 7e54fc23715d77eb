import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";

/** Asks a listener of Envoy on loopback for a path at a Host, which `fetch` would not let us choose. */
export async function getByHost(
  port: number,
  host: string,
  path = "/",
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
  const call = request({ host: "127.0.0.1", port, path, headers: { host, ...headers } }).end();
  const [response] = await once(call, "response");
  return { status: response.statusCode, body: await text(response), headers: response.headers };
}
