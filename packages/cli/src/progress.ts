import { formatBytes } from "./byte-size.ts";
import { formatDuration } from "./duration.ts";
import type { Printer } from "./printer.ts";
import { clip, clipMiddle, visible } from "./table.ts";

/** How far something has come. */
export type ProgressState = {
  /** What is done, to what. */
  readonly label: string;
  readonly bytes: number;
  /** Null where nobody knows. */
  readonly totalBytes: number | null;
  /** What else is counted, such as `12 objects`. */
  readonly counted?: string;
};

export type Progress = Disposable & {
  update(state: ProgressState): void;
};

/** The rate is that of the last seconds: what was fast at first may be slow now. */
const windowMs = 5_000;
const paintEveryMs = 100;
/** What is done sooner needs no progress. */
const patienceMs = 300;

type Sample = { readonly at: number; readonly bytes: number };

/**
 * Shows on a terminal how far something has come, with its rate and the time that is left; elsewhere nothing. Gone when
 * it is disposed.
 */
export function showProgress(printer: Printer, now: () => number = () => performance.now()): Progress {
  if (!printer.interactive) return { update: () => {}, [Symbol.dispose]: () => {} };
  const began = now();
  let samples: readonly Sample[] = [];
  let state: ProgressState | null = null;
  let painted = false;
  const paint = () => {
    const at = now();
    if (state === null || at - began < patienceMs) return;
    samples = [...samples.filter((sample) => at - sample.at <= windowMs), { at, bytes: state.bytes }];
    printer.repaint([renderProgress(state, rateOf(samples), printer.screen().width)]);
    painted = true;
  };
  const timer = setInterval(paint, paintEveryMs);
  timer.unref();
  return {
    update: (next) => {
      if (state === null) samples = [{ at: now(), bytes: next.bytes }];
      state = next;
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (painted) printer.repaint([]);
    },
  };
}

/** Bytes per second between the first sample and the last; null while they are too near to each other. */
function rateOf(samples: readonly Sample[]): number | null {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.at - first.at < patienceMs) return null;
  return ((last.bytes - first.bytes) * 1_000) / (last.at - first.at);
}

const widestBar = 30;
const narrowestBar = 10;
const narrowestLabel = 12;

/** One line of at most `width` columns; the bar goes first where there is no room, then the end of the line. */
export function renderProgress(state: ProgressState, rate: number | null, width: number): string {
  const { bytes, totalBytes, counted } = state;
  const share = totalBytes === null || totalBytes === 0 ? null : Math.min(1, bytes / totalBytes);
  const amount =
    totalBytes === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
  const left = share === null || !rate ? null : ((totalBytes ?? 0) - bytes) / rate;
  const told = [
    share === null ? null : `${Math.floor(share * 100)} %`.padStart(5),
    counted ?? null,
    amount,
    rate === null ? null : `${formatBytes(rate)}/s`,
    left === null ? null : `${formatDuration(Math.max(0, left) * 1_000)} left`,
  ];
  const end = told.filter((text) => text !== null).join("  ");
  const roomy = width - end.length - 4 - narrowestBar;
  const label = clipMiddle(visible(state.label), Math.max(narrowestLabel, roomy));
  const room = Math.min(widestBar, width - label.length - end.length - 4);
  const bar = share === null || room < narrowestBar ? [] : [barOf(share, room)];
  return clip([label, ...bar, end].join("  "), width);
}

function barOf(share: number, width: number): string {
  const inside = width - 2;
  const full = Math.floor(share * inside);
  return `[${"#".repeat(full)}${".".repeat(inside - full)}]`;
}
