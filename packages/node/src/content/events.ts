import type { JobStatus } from "@catalyst/rpc";
import type { Damage, Store, StoreEvent } from "@catalyst/store";
import type { Logger, Metrics } from "@catalyst/telemetry";

/** Everything that the content process logs and counts, one function per event. */
export type ContentEvents = {
  stored(event: StoreEvent): void;
  given(bytes: number, outcome: "whole" | "cut_off"): void;
  jobEnded(job: JobStatus, error: unknown): void;
  requestFailed(method: string, error: unknown): void;
  scheduledFailed(kind: string, error: unknown): void;
  keyNotRenewed(error: unknown): void;
};

export function createContentEvents(logger: Logger, metrics: Metrics): ContentEvents {
  const put = metrics.counter("content_puts_total", "Objects that were put.", ["new"]);
  const putBytes = metrics.counter("content_put_bytes_total", "Bytes of objects that were put.", ["new"]);
  const gets = metrics.counter("content_gets_total", "Answers with bytes.", ["outcome"]);
  const getBytes = metrics.counter("content_get_bytes_total", "Bytes that were given.", []);
  const damages = metrics.counter("content_damages_total", "Places that were found damaged.", ["part"]);
  const repaired = metrics.counter("content_repaired_leaves_total", "Leaves that were made whole again.", []);
  const scrubbed = metrics.counter("content_scrubbed_bytes_total", "Bytes that scrubbing read.", []);
  const removed = metrics.counter("content_gc_removed_total", "Objects that were collected.", []);
  const freed = metrics.counter("content_gc_freed_bytes_total", "Bytes of objects that were collected.", []);
  const jobs = metrics.counter("content_jobs_total", "Jobs that ended.", ["kind", "state"]);
  const damaged = (damage: Damage) => {
    damages.inc({ part: damage.part });
    logger.error({ ...damage }, "an object is damaged on the disk");
  };
  return {
    stored: (event) => {
      switch (event.kind) {
        case "stored":
          put.inc({ new: String(event.isNew) });
          putBytes.inc({ new: String(event.isNew) }, event.sizeBytes);
          break;
        case "damaged":
          damaged(event.damage);
          break;
        case "repaired":
          repaired.inc({}, event.leaves);
          logger.info({ cid: event.cid, leaves: event.leaves }, "an object was repaired");
          break;
        case "scrubbed":
          scrubbed.inc({}, event.bytes);
          logger.info({ ...event }, "scrubbed");
          break;
        case "collected":
          removed.inc({}, event.removed);
          freed.inc({}, event.removedBytes);
          logger.info({ ...event }, "collected");
          break;
        default:
          logger.debug({ ...event }, "content changed");
      }
    },
    given: (bytes, outcome) => {
      gets.inc({ outcome });
      getBytes.inc({}, bytes);
    },
    jobEnded: ({ kind, state, failure, jobId, cid }, error) => {
      jobs.inc({ kind, state });
      if (state === "failed") logger.error({ jobId, kind, cid, failure, err: error }, "a job failed");
      else logger.info({ jobId, kind, cid, state }, "a job ended");
    },
    requestFailed: (method, error) => logger.warn({ method, err: error }, "bytes could not be served"),
    scheduledFailed: (kind, error) => logger.error({ kind, err: error }, "scheduled work could not begin"),
    keyNotRenewed: (error) =>
      logger.error({ err: error }, "the key that signs receipts could not be renewed"),
  };
}

/** What is counted only when somebody asks. */
export function exposeStore(metrics: Metrics, store: Store, now: () => number): void {
  let asked: ReturnType<Store["stats"]> | null = null;
  /** All gauges of a scrape are read at once: from one answer. */
  const stats = () => {
    asked ??= store.stats().finally(() => {
      asked = null;
    });
    return asked;
  };
  const read = (
    name: string,
    help: string,
    value: (stats: Awaited<ReturnType<Store["stats"]>>) => number | null,
  ) =>
    metrics.readGauge(name, help, [], async () => {
      const found = value(await stats());
      return found === null ? [] : [[{}, found]];
    });
  read("content_objects", "Objects in the store.", ({ objects }) => objects);
  read("content_bytes", "Bytes of the objects in the store.", ({ bytes }) => bytes);
  read(
    "content_logical_bytes",
    "Bytes of all files, those stored in chunks counted as if they were whole.",
    (stats) => stats.logicalBytes,
  );
  read(
    "content_dedup_ratio",
    "Bytes of all files over the bytes that they take.",
    ({ bytes, logicalBytes }) => (bytes === 0 ? 1 : logicalBytes / bytes),
  );
  read("content_partial_objects", "Objects that have not come whole yet.", ({ partial }) => partial);
  read("content_damaged_objects", "Objects that are known to be damaged.", ({ damaged }) => damaged);
  read("content_scrub_age_seconds", "Since the last round of scrubbing ended.", ({ scrubbedAt }) =>
    scrubbedAt === null ? null : (now() - scrubbedAt) / 1_000,
  );
}
