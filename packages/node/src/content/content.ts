import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { type contentContract as Contract, contentContract, type Implementation } from "@catalyst/rpc";
import { openDiskStore, openPlacement, type Store } from "@catalyst/store";
import { Ledger } from "../audit/ledger.ts";
import { NodeError } from "../errors.ts";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";
import { type ProcessFrame, runProcess } from "../process.ts";
import { createBytesServer } from "./bytes-server.ts";
import { ContentView } from "./content-view.ts";
import { checkDevices } from "./device-folders.ts";
import { type ContentEvents, createContentEvents, exposeStore } from "./events.ts";
import { JobPlans } from "./job-plans.ts";
import { Jobs } from "./jobs.ts";
import { ObjectService } from "./object-service.ts";
import { answered } from "./refusal.ts";
import { startSchedule } from "./schedule.ts";

const hourMs = 3_600_000;
const minuteMs = 60_000;

/** The content process: keeps objects, gives them, and leaves evidence of what it did. */
export function runContent(config: NodeConfig, dataDir: string): Promise<void> {
  return runProcess("content", contentContract, config, dataDir, async (frame, resources) => {
    const parts = await openParts(frame, resources);
    const { objects, events, jobs, view } = parts;
    resources.use(scheduleOf(config, parts));
    return {
      details: () => view.details(),
      readiness: () => ({ ready: true, reasons: view.reasons() }),
      socketHttp: createBytesServer({ objects, events }),
      drain: () => jobs.cancelAll(),
      implementation: implementationOf(parts),
    };
  });
}

type Parts = Awaited<ReturnType<typeof openParts>>;

async function openParts(frame: ProcessFrame, resources: AsyncDisposableStack) {
  const { config, dataDir } = frame;
  const { content, node, auth } = config;
  const folder = content.folder === undefined ? paths.content(dataDir) : resolve(content.folder);
  const devices = content.devices.map((device) => ({ ...device, folder: resolve(device.folder) }));
  checkDevices(folder, devices);
  const events = createContentEvents(frame.logger, frame.metrics);
  const ledger = resources.use(
    await Ledger.open({
      issuer: `${node.name}.${node.domain}`,
      keysFolder: paths.keys(dataDir),
      passphraseFile: auth.passphraseFile,
      auditFolder: paths.audit(dataDir, "content"),
    }),
  );
  const store = resources.use(await openStore(folder, events));
  const folders = devices.map((device) => device.folder);
  const placement = await openPlacement({ store, devices: folders, onEvent: events.stored });
  for (const { namespace, maxBytes } of content.quotas) await store.setQuota(namespace, maxBytes);
  exposeStore(frame.metrics, store, Date.now);
  const configuredQuotas = new Set(content.quotas.map(({ namespace }) => namespace));
  const objects = new ObjectService({ store, placement, ledger, events, configuredQuotas });
  const jobs = new Jobs(events);
  const graceMs = content.gc.graceMinutes * minuteMs;
  const { sampleRate, bytesPerSecond } = content.scrub;
  const plans = new JobPlans({
    store,
    placement,
    objects,
    ledger,
    siteOf: (at) => `${node.name}/${devices.find((device) => device.folder === at)?.name ?? "?"}`,
    defaults: { graceMs, sampleRate, maxBytesPerSecond: bytesPerSecond },
  });
  const scrubEveryMs = content.scrub.everyHours * hourMs;
  const parts = { folder, devices, store, objects, ledger, jobs, scrubEveryMs, graceMs };
  return { ...parts, events, plans, view: await ContentView.open(parts) };
}

function implementationOf({ store, objects, jobs, plans, view }: Parts): Served {
  return {
    check: () => view.check(),
    explain: ({ subject, name }) => answered(() => view.explain(subject, name)),
    stat: (located) => answered(() => objects.stat(located)),
    list: (page) => answered(() => objects.list(page)),
    names: ({ namespace }) => answered(() => objects.names(namespace)),
    namespaces: () => answered(async () => [...(await store.namespaces())]),
    link: (request) => answered(() => objects.link(request)),
    unlink: (request) => answered(() => objects.unlink(request)),
    pin: (request) => answered(() => objects.pin(request)),
    unpin: (request) => answered(() => objects.unpin(request)),
    setQuota: (request) => answered(() => objects.setQuota(request)),
    startJob: (request) => answered(async () => jobs.start(await plans.plan(request))),
    job: ({ jobId, waitMs }) => jobs.wait(jobId, waitMs),
    cancelJob: ({ jobId }) => jobs.cancel(jobId),
    jobs: () => jobs.list(),
  };
}

type Served = Omit<Implementation<typeof Contract>, "hello" | "status" | "drain">;

/** Collects and scrubs from time to time, keeps the signing key lent, and what the status tells fresh. */
function scheduleOf(config: NodeConfig, { jobs, plans, view, ledger, events }: Parts): Disposable {
  const { gc, scrub } = config.content;
  const job = (kind: "gc" | "scrub", everyHours: number) => ({
    everyMs: everyHours * hourMs,
    lastAt: () => view.lastAt(kind),
    begin: async () => jobs.start(await plans.plan({ kind })),
  });
  const each = (everyMs: number, begin: () => Promise<unknown>) => ({
    everyMs,
    lastAt: async () => null,
    begin,
  });
  return startSchedule(
    {
      gc: job("gc", gc.everyHours),
      scrub: job("scrub", scrub.everyHours),
      key: each(minuteMs, () => ledger.keepLent()),
      view: each(minuteMs, () => view.refresh()),
    },
    events.scheduledFailed,
  );
}

/** Throws {@link NodeError} `data_dir_unusable` for a folder that cannot be made. */
function openStore(folder: string, events: ContentEvents): Promise<Store> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = (cause as Error).message;
    throw new NodeError(
      "data_dir_unusable",
      `${folder} cannot be used: ${why}. Choose another with --content-folder`,
      { cause },
    );
  }
  return openDiskStore(folder, { onEvent: events.stored });
}
