import type { GatewayError } from "../errors.ts";

/** So many requests in a row must have failed before it is held against a service: one may be bad luck. */
const telling = 3;

type Run = { readonly count: number; readonly last: GatewayError };

/** Which services fail the requests that are sent to them, though their schemas are served. */
export class ServiceFailures {
  readonly #runs = new Map<string, Run>();
  readonly #pauses = new Map<string, number>();

  /** How a request ended: with its failure, or null. */
  note(service: string, failure: GatewayError | null): void {
    if (failure === null) this.#runs.delete(service);
    else this.#runs.set(service, { count: (this.#runs.get(service)?.count ?? 0) + 1, last: failure });
  }

  /** The service is left alone but for one try every `ms`; null: no longer. */
  pause(service: string, ms: number | null): void {
    if (ms === null) this.#pauses.delete(service);
    else this.#pauses.set(service, ms);
  }

  /** For operators; null for a service whose last requests went well, and for one that was not asked. */
  reasonOf(service: string): string | null {
    const run = this.#runs.get(service);
    const pause = this.#pauses.get(service);
    if (run === undefined || (run.count < telling && pause === undefined)) return null;
    const { message, detail } = run.last;
    const fails = `requests fail: ${message}${detail === undefined ? "" : ` (${detail})`}`;
    return pause === undefined
      ? fails
      : `${fails}; so many that it is left alone but for one every ${pause} ms`;
  }

  forget(service: string): void {
    this.#runs.delete(service);
    this.#pauses.delete(service);
  }
}
