import { rename } from "node:fs/promises";
import { DurableError, type Journal, openJournal, readJournal } from "@catalyst/durable";
import { protocols } from "@catalyst/peering";
import { serviceDeclaration } from "@catalyst/rpc";
import { z } from "zod";
import type { RemoteService } from "./reach.ts";

const nextHop = z.object({ host: z.string(), port: z.int(), sni: z.string(), spiffeId: z.string() });

const remoteService = z.object({
  name: serviceDeclaration.shape.name,
  protocol: z.enum(protocols),
  nextHops: z.array(nextHop).min(1),
  revision: z.string(),
  peer: z.string(),
});

/** What a record says: how services are reached from now on, and which are not any more. */
const record = z.object({ reached: z.array(remoteService), gone: z.array(z.string()) });

/** How services were reached before this process started, and the file in which it is kept. */
export type KeptFile = { readonly journal: Journal; readonly before: ReadonlyMap<string, RemoteService> };

/**
 * Opens the file. One that is damaged is set aside as `<path>.bad` and begun anew, for peers tell their routes again; that is
 * told. Throws DurableError `disk_full` and `io_failed`.
 */
export async function openKeptFile(path: string, onFailure: (error: unknown) => void): Promise<KeptFile> {
  try {
    const { records } = await readJournal(path);
    return { before: servicesOf(records), journal: await openJournal(path) };
  } catch (error) {
    if (error instanceof DurableError && error.code !== "journal_invalid") throw error;
    await rename(path, `${path}.bad`);
    onFailure(error);
    return { before: new Map(), journal: await openJournal(path) };
  }
}

function servicesOf(records: readonly Uint8Array[]): Map<string, RemoteService> {
  const services = new Map<string, RemoteService>();
  for (const bytes of records) {
    const { reached, gone } = record.parse(JSON.parse(new TextDecoder().decode(bytes)));
    for (const service of reached) services.set(service.name, service);
    for (const name of gone) services.delete(name);
  }
  return services;
}

function encode(reached: readonly RemoteService[], gone: readonly string[] = []): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ reached, gone }));
}

export type KeptRoutesParts = {
  readonly file: KeptFile;
  /** How long a peer is waited for that does not come back, in ms. */
  readonly restartMs: number;
  /** Is told the names of services that are not kept any more. */
  readonly onForgotten: (names: readonly string[]) => void;
  readonly onFailure: (error: unknown) => void;
};

/** A change is written soon, for the process may be killed; what changes meanwhile is written with it. */
const writeAfterMs = 50;
/** So many services are written at a time: a peer may tell of a hundred thousand at once, and others wait. */
const servicesPerRecord = 1_000;
/** The file is written anew when it has become twice as long, and by so much at least. */
const slackBytes = 1024 * 1024;

/**
 * How services of other nodes were reached before this process started: Envoy and the gateway go on with that until the
 * peers have told their routes anew, or do not come back. Written soon, and not for sure: what is lost is heard again.
 */
export class KeptRoutes implements AsyncDisposable {
  readonly #parts: KeptRoutesParts;
  readonly #before: Map<string, RemoteService>;
  readonly #now: Map<string, RemoteService>;
  /** Names of services that the file does not say the newest of. */
  readonly #unwritten = new Set<string>();
  readonly #expiry: NodeJS.Timeout;
  #timer: NodeJS.Timeout | null = null;
  /** Resolves when all that was asked for is written, or has failed. */
  #writing: Promise<void> = Promise.resolve();
  /** How long the file was when it said everything once, in bytes. */
  #compactBytes = 0;

  constructor(parts: KeptRoutesParts) {
    this.#parts = parts;
    this.#before = new Map(parts.file.before);
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
    this.#writeSoon(service.name);
  }

  /** Nobody tells of the service; where it is not known yet whether somebody will, it is kept. */
  drop(name: string): void {
    if (!this.#before.has(name) && this.#now.delete(name)) this.#writeSoon(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#expiry);
    if (this.#timer !== null) clearTimeout(this.#timer);
    const writes: Promise<void>[] = [this.#writing];
    while (this.#unwritten.size > 0) writes.push(this.#write());
    await Promise.all(writes);
    await this.#parts.file.journal[Symbol.asyncDispose]();
  }

  #forget(isGone: (service: RemoteService) => boolean): void {
    const gone = [...this.#before.values()].filter(isGone).map(({ name }) => name);
    for (const name of gone) this.#before.delete(name);
    if (gone.length > 0) this.#parts.onForgotten(gone);
  }

  #writeSoon(name: string): void {
    this.#unwritten.add(name);
    this.#timer ??= this.#later();
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#writing = Promise.all([this.#writing, this.#write()]).then(() => undefined);
      this.#timer = this.#unwritten.size > 0 ? this.#later() : null;
    }, writeAfterMs).unref();
  }

  /** What cannot be written is written with the next change. */
  async #write(): Promise<void> {
    const { file, onFailure } = this.#parts;
    const names = [...this.#unwritten.values().take(servicesPerRecord)];
    for (const name of names) this.#unwritten.delete(name);
    const reached = names.flatMap((name) => this.#now.get(name) ?? []);
    try {
      await file.journal.append(
        encode(
          reached,
          names.filter((name) => !this.#now.has(name)),
        ),
      );
      await this.#compactLong();
    } catch (error) {
      for (const name of names) this.#unwritten.add(name);
      onFailure(error);
    }
  }

  async #compactLong(): Promise<void> {
    const { journal } = this.#parts.file;
    if (journal.sizeBytes < 2 * this.#compactBytes + slackBytes) return;
    this.#compactBytes = Number.POSITIVE_INFINITY;
    try {
      await journal.compact(this.#all());
    } finally {
      this.#compactBytes = journal.sizeBytes;
    }
  }

  *#all(): Iterable<Uint8Array> {
    const services = [...this.#now.values()];
    for (let at = 0; at < services.length; at += servicesPerRecord) {
      yield encode(services.slice(at, at + servicesPerRecord));
    }
  }
}
