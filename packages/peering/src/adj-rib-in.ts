import type { Path } from "./path.ts";

/** All routes that one source told, whatever import makes of them: a policy that changes judges them again. */
export class AdjRibIn {
  readonly #origins = new Map<string, Map<string, Path>>();
  #routes = 0;
  #bytes = 0;
  /** The number of the current round; a session and a refresh each begin one. */
  round = 0;

  get routes(): number {
    return this.#routes;
  }

  /** Names and attributes of all routes, each counted as if it shared nothing. */
  get bytes(): number {
    return this.#bytes;
  }

  get(origin: string, service: string): Path | null {
    return this.#origins.get(origin)?.get(service) ?? null;
  }

  /** Puts a path in the place of the one of its origin and service, which is given: null where there is none. */
  put(path: Path, before: Path | null): void {
    const { origin } = path.received;
    let services = this.#origins.get(origin);
    if (services === undefined) {
      services = new Map();
      this.#origins.set(origin, services);
    }
    if (before === null) this.#routes += 1;
    else this.#bytes -= sizeOf(before);
    this.#bytes += sizeOf(path);
    services.set(path.service, path);
  }

  delete(path: Path): void {
    const { origin } = path.received;
    const services = this.#origins.get(origin);
    if (services?.delete(path.service) !== true) return;
    if (services.size === 0) this.#origins.delete(origin);
    this.#routes -= 1;
    this.#bytes -= sizeOf(path);
  }

  /** All paths; the one that it stands at may be replaced or deleted. */
  *paths(): Generator<Path> {
    for (const services of this.#origins.values()) yield* services.values();
  }

  /** The paths of one service. */
  *pathsOf(service: string): Generator<Path> {
    for (const services of this.#origins.values()) {
      const path = services.get(service);
      if (path !== undefined) yield path;
    }
  }

  isStale(path: Path): boolean {
    return path.round < this.round;
  }
}

function sizeOf({ service, received }: Path): number {
  return service.length + received.bytes.length;
}
