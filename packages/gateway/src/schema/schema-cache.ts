import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@catalyst/durable";
import { z } from "zod";
import type { GatewayEvents } from "../events.ts";
import { type ServiceSchema, type ServiceTarget, serviceSchema } from "../service.ts";

const entry = z.strictObject({
  host: z.string(),
  path: z.string(),
  kind: z.enum(["federation", "plain"]),
  sdl: z.string(),
});

/**
 * The schemas that were served last, one file per service, so that a gateway that starts while a service is down
 * serves that service's fields. A file that cannot be read or written costs nothing but its content.
 */
export class SchemaCache {
  readonly #folder: string | null;
  readonly #events: GatewayEvents;
  readonly #written = new Map<string, string>();

  /** Keeps nothing when `folder` is null. */
  constructor(folder: string | null, events: GatewayEvents) {
    this.#folder = folder;
    this.#events = events;
  }

  async read(target: ServiceTarget): Promise<ServiceSchema | null> {
    if (this.#folder === null) return null;
    try {
      const { host, path, kind, sdl } = entry.parse(
        JSON.parse(await readFile(this.#file(target.name), "utf8")),
      );
      if (host !== target.host || path !== target.path) return null;
      const schema = serviceSchema(kind, sdl);
      this.#written.set(target.name, markOf(target, schema));
      return schema;
    } catch (error) {
      if (!isMissing(error)) this.#events.cacheFailed(target.name, error);
      return null;
    }
  }

  /** Writes what changed since it was written last. */
  async write(target: ServiceTarget, schema: ServiceSchema): Promise<void> {
    const { name, host, path } = target;
    const { kind, sdl } = schema;
    const mark = markOf(target, schema);
    if (this.#folder === null || this.#written.get(name) === mark) return;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await replaceFile(this.#file(name), JSON.stringify({ host, path, kind, sdl }));
      this.#written.set(name, mark);
    } catch (error) {
      this.#events.cacheFailed(name, error);
    }
  }

  async remove(name: string): Promise<void> {
    this.#written.delete(name);
    if (this.#folder === null) return;
    await rm(this.#file(name), { force: true }).catch((error) => this.#events.cacheFailed(name, error));
  }

  #file(name: string): string {
    return join(this.#folder ?? "", `${name}.json`);
  }
}

function markOf({ host, path }: ServiceTarget, { digest }: ServiceSchema): string {
  return `${host}${path} ${digest}`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
