import { createServer } from "node:http";
import { join } from "node:path";
import type { AcknowledgedEvent, RejectedEvent } from "../src/events.ts";
import type { Resource } from "../src/resource.ts";
import { createXdsServer, type XdsServer } from "../src/server.ts";
import { get, removeFolder, temporaryFolder } from "./envoy.ts";
import { cluster, endpoints, listener, scope } from "./resources.ts";

/** Where one Envoy is tested: sockets, what was said, and how to start a server. */
export type Site = {
  readonly folder: string;
  readonly socket: (name: string) => string;
  readonly acknowledged: AcknowledgedEvent[];
  readonly rejected: RejectedEvent[];
  readonly start: () => Promise<XdsServer>;
  readonly status: (host: string, path?: string) => Promise<number>;
};

/** A folder with two backends, and servers on one socket that note what Envoy says. */
export async function withSite(run: (site: Site) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  const socket = (name: string) => join(folder, `${name}.sock`);
  const backends = ["a", "b"].map((name) => createServer((_, out) => out.end(name)).listen(socket(name)));
  const acknowledged: AcknowledgedEvent[] = [];
  const rejected: RejectedEvent[] = [];
  const start = () =>
    createXdsServer({
      listen: [`unix:${socket("xds")}`],
      events: {
        onAcknowledged: (_, event) => acknowledged.push(event),
        onRejected: (_, event) => rejected.push(event),
      },
    });
  const status = async (host: string) => (await get(socket("in"), "/", host)).status;
  try {
    await run({ folder, socket, acknowledged, rejected, start, status });
  } finally {
    for (const backend of backends) backend.close();
    removeFolder(folder);
  }
}

/** One service behind Envoy: cluster, endpoints, scope and listener. */
export const base = (site: Site): Resource[] => [
  cluster("a"),
  endpoints("a", site.socket("a")),
  scope("a.test", "a"),
  listener("in", site.socket("in")),
];

/** The last part of a type URL. */
export const short = (type: string) => type.slice(type.lastIndexOf(".") + 1);
/** Events as texts: `Cluster +a -b`. */
export const story = (events: readonly AcknowledgedEvent[]) =>
  events.map(({ type, upsert, removed }) => {
    const names = [...upsert.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)];
    return `${short(type)} ${names.join(" ")}`;
  });
