import type { AttributeSet } from "./attribute-set.ts";
import { encodeHealth } from "./health.ts";
import { headBytes, maxNames, type OriginNames, roomBytes, splitNames } from "./name-list.ts";
import { encodeUpdate } from "./update.ts";

/** Changes for one peer, grouped so that routes which share attributes share messages. */
export class Batch {
  readonly #announced = new Map<AttributeSet, string[]>();
  readonly #announcedUnhealthy = new Map<AttributeSet, string[]>();
  readonly #withdrawn = new Map<string, string[]>();
  readonly #unhealthy = new Map<string, string[]>();
  readonly #healthy = new Map<string, string[]>();

  announce(attributes: AttributeSet, service: string, healthy: boolean): void {
    append(healthy ? this.#announced : this.#announcedUnhealthy, attributes, service);
  }

  withdraw(origin: string, service: string): void {
    append(this.#withdrawn, origin, service);
  }

  health(service: string, origin: string, healthy: boolean): void {
    append(healthy ? this.#healthy : this.#unhealthy, origin, service);
  }

  /** The messages: announcements before withdrawals, so that nothing is without a route in between, then health. */
  *messages(): Generator<Uint8Array> {
    yield* announcements(this.#announced, true);
    yield* announcements(this.#announcedUnhealthy, false);
    for (const withdrawn of packed(this.#withdrawn)) yield encodeUpdate({ withdrawn, announced: null });
    for (const unhealthy of packed(this.#unhealthy)) yield encodeHealth({ unhealthy, healthy: [] });
    for (const healthy of packed(this.#healthy)) yield encodeHealth({ unhealthy: [], healthy });
  }
}

function append<Key>(map: Map<Key, string[]>, key: Key, service: string): void {
  const services = map.get(key);
  if (services === undefined) map.set(key, [service]);
  else services.push(service);
}

function* announcements(
  lists: ReadonlyMap<AttributeSet, readonly string[]>,
  healthy: boolean,
): Generator<Uint8Array> {
  for (const [{ origin, bytes: attributes }, all] of lists) {
    for (const services of splitNames(all, attributes.length)) {
      yield encodeUpdate({ withdrawn: [], announced: { origin, attributes, services, healthy } });
    }
  }
}

/** So many lists are put into a message; a reader takes 256. */
const maxOrigins = 128;

/** Lists of several origins that fit into one message. */
function* packed(lists: ReadonlyMap<string, readonly string[]>): Generator<readonly OriginNames[]> {
  let message: OriginNames[] = [];
  let [bytes, names] = [0, 0];
  for (const [origin, all] of lists) {
    for (const services of splitNames(all, origin.length)) {
      const size = services.reduce((sum, { length }) => sum + length + headBytes, origin.length + 8);
      if (bytes + size > roomBytes || names + services.length > maxNames || message.length === maxOrigins) {
        if (message.length > 0) yield message;
        message = [];
        [bytes, names] = [0, 0];
      }
      message.push({ origin, services });
      bytes += size;
      names += services.length;
    }
  }
  if (message.length > 0) yield message;
}
