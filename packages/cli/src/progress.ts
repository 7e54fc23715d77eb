import { visible } from "@catalyst/wire";
import { formatBytes } from "./byte-size.ts";
import { formatDuration } from "./duration.ts";
import type { Printer } from "./printer.ts";
import { clip, clipMiddle } from "./table.ts";

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

/** The rate is that of the last seconds: what was fast at first may be slow now. In ms. */
const windowMs = 5_000;
const paintEveryMs = 100;
/** What is done sooner needs no progress. */
const patienceMs = 300;

/** How much was there, and when that was told, in ms. */
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
  let toldAt = began;
  let painted = false;
  const paint = () => {
    const at = now();
    if (state === null || at - began < patienceMs) return;
    samples = sampled(samples, { at: toldAt, bytes: state.bytes });
    printer.repaint([renderProgress(state, rateOf(samples, at), printer.screen().width)]);
    painted = true;
  };
  const timer = setInterval(paint, paintEveryMs);
  timer.unref();
  return {
    update: (next) => {
      toldAt = now();
      if (state === null) samples = [{ at: toldAt, bytes: next.bytes }];
      state = next;
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      if (painted) printer.repaint([]);
    },
  };
}

/** Those of the last seconds, and two at least: some tell of themselves seldom. */
function sampled(samples: readonly Sample[], next: Sample): readonly Sample[] {
  if (samples.at(-1)?.bytes === next.bytes) return samples;
  const recent = samples.filter(({ at }) => next.at - at <= windowMs);
  return [...(recent.length > 0 ? recent : samples.slice(-1)), next];
}

/**
 * Bytes per second from the first sample to the last, or to now where nothing came for much longer than before; null while
 * they are too near to each other.
 */
export function rateOf(samples: readonly Sample[], now: number): number | null {
  const [first] = samples;
  const [before, last] = samples.slice(-2);
  if (first === undefined || before === undefined || last === undefined) return null;
  const isLate = now - last.at > 2 * Math.max(patienceMs, last.at - before.at);
  const elapsed = (isLate ? now : last.at) - first.at;
  return elapsed < patienceMs ? null : ((last.bytes - first.bytes) * 1_000) / elapsed;
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
