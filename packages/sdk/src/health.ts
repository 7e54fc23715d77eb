import { setTimeout as sleep } from "node:timers/promises";

/** What a service says of itself; `detail` is shown in `catalyst status`, at most 500 characters. */
export type Health = { readonly healthy: boolean; readonly detail?: string };

/** Asked at every renewal. One that throws, or takes too long, means unhealthy. */
export type HealthCheck = () => Health | Promise<Health>;

const maxDetail = 500;

/** Asks a service for its health, and never fails: what goes wrong with the asking is the answer. */
export async function checkHealth(check: HealthCheck, timeoutMs: number): Promise<Health> {
  const answered = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: answered.signal }).then((): Health => {
    return { healthy: false, detail: `the health check did not answer within ${timeoutMs} ms` };
  });
  try {
    const { healthy, detail } = await Promise.race([check(), late]);
    return detail === undefined ? { healthy } : { healthy, detail: detail.slice(0, maxDetail) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { healthy: false, detail: `the health check failed: ${why}`.slice(0, maxDetail) };
  } finally {
    late.catch(() => undefined);
    answered.abort();
  }
}
