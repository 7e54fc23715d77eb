import { readFileSync } from "node:fs";
import { replaceFile } from "@catalyst/durable";
import { protocols } from "@catalyst/peering";
import { serviceDeclaration } from "@catalyst/rpc";
import { z } from "zod";
import type { RemoteService } from "./reach.ts";

const nextHop = z.object({ host: z.string(), port: z.int(), sni: z.string(), spiffeId: z.string() });

const remoteServices = z.array(
  z.object({
    name: serviceDeclaration.shape.name,
    protocol: z.enum(protocols),
    nextHops: z.array(nextHop).min(1),
    revision: z.string(),
    peer: z.string(),
  }),
);

export type KeptRoutesParts = {
  readonly path: string;
  /** How long a peer is waited for that does not come back, in ms. */
  readonly restartMs: number;
  /** Is told the names of services that are not kept any more. */
  readonly onForgotten: (names: readonly string[]) => void;
  readonly onFailure: (error: unknown) => void;
};

/** The first change is written soon, for the process may be killed; what changes meanwhile is written with it. */
const writeAfterMs = 50;
/** All of it is written each time, tens of milliseconds with 10,000 services: that is at most a fiftieth of the time. */
const restsFor = 50;

/**
 * How services of other nodes were reached before this process started: Envoy and the gateway go on with that until the
 * peers have told their routes anew, or do not come back. Written now and then, and not for sure: what is lost is heard
 * again.
 */
export class KeptRoutes implements AsyncDisposable {
  readonly #parts: KeptRoutesParts;
  readonly #before: Map<string, RemoteService>;
  readonly #now: Map<string, RemoteService>;
  readonly #expiry: NodeJS.Timeout;
  #timer: NodeJS.Timeout | null = null;
  /** From when on it may be written again; on the clock of `performance.now()`. */
  #restsUntil = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: KeptRoutesParts) {
    this.#parts = parts;
    this.#before = new Map(this.#read().map((service) => [service.name, service]));
    this.#now = new Map(this.#before);
    this.#expiry = setTimeout(() => this.#forget(() => true), parts.restartMs).unref();
  }

  names(): Iterable<string> {
    return this.#before.keys();
  }

  /** How a service was reached before; null when it was not, or when how it is now is known. */
  before(name: string): RemoteService | null {
    return this.#before.get(name) ?? null;
  }

  /** A peer has told all that it has: what was kept of it is true no more. */
  complete(peer: string): void {
    this.#forget((service) => service.peer === peer);
  }

  /** Notes how a service is reached from now on. */
  keep(service: RemoteService): void {
    this.#before.delete(service.name);
    this.#now.set(service.name, service);
    this.#writeSoon();
  }

  /** Nobody tells of the service; where it is not known yet whether somebody will, it is kept. */
  drop(name: string): void {
    if (!this.#before.has(name) && this.#now.delete(name)) this.#writeSoon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#expiry);
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#write();
    }
    await this.#writing;
  }

  #forget(isGone: (service: RemoteService) => boolean): void {
    const gone = [...this.#before.values()].filter(isGone).map(({ name }) => name);
    for (const name of gone) this.#before.delete(name);
    if (gone.length > 0) this.#parts.onForgotten(gone);
  }

  #writeSoon(): void {
    const waitMs = Math.max(writeAfterMs, this.#restsUntil - performance.now());
    this.#timer ??= setTimeout(() => this.#write(), waitMs).unref();
  }

  #write(): void {
    this.#timer = null;
    const { path, onFailure } = this.#parts;
    const begun = performance.now();
    const text = JSON.stringify([...this.#now.values()]);
    const now = performance.now();
    this.#restsUntil = now + restsFor * (now - begun);
    this.#writing = this.#writing.then(() => replaceFile(path, text, { mode: 0o600 })).catch(onFailure);
  }

  #read(): readonly RemoteService[] {
    let text: string;
    try {
      text = readFileSync(this.#parts.path, "utf8");
    } catch {
      return []; // There is none yet.
    }
    try {
      return remoteServices.parse(JSON.parse(text));
    } catch (error) {
      this.#parts.onFailure(error);
      return [];
    }
  }
}
