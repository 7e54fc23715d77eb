import { CommandError, exitCode } from "./exit-code.ts";

const decimal = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const factors: Readonly<Record<string, number>> = {
  ...Object.fromEntries(decimal.map((unit, power) => [unit.toLowerCase(), 1_000 ** power])),
  ...Object.fromEntries(["kib", "mib", "gib", "tib", "pib"].map((unit, at) => [unit, 1_024 ** (at + 1)])),
};

/** Bytes as people read them, in decimal units: `0 B`, `17.3 kB`, `1.2 GB`, `512 GB`. JSON has the exact number. */
export function formatBytes(bytes: number): string {
  let power = 0;
  // As it is rounded, so that 999,950 bytes are 1.0 MB and not 1000 kB.
  while (power < decimal.length - 1 && Math.round(bytes / 1_000 ** power) >= 1_000) power++;
  const value = bytes / 1_000 ** power;
  const digits = power === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${decimal[power]}`;
}

/** Reads `500MB`, `10GiB`, `4096` or `1.5 TB`. Throws {@link CommandError} with exit code 2 that names the flag. */
export function parseBytes(flag: string, text: string): number {
  const [, amount = "", unit = "B"] = /^(\d+(?:\.\d+)?) ?([a-z]+)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(amount || Number.NaN) * (factors[unit.toLowerCase()] ?? Number.NaN));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new CommandError(exitCode.usage, `${flag} is a size such as 500MB or 10GiB, not "${text}"`);
}

/** Reads `8MB/s` or `8MB`. Throws as {@link parseBytes} does. */
export function parseByteRate(flag: string, text: string): number {
  const bytes = parseBytes(flag, text.trim().replace(/\/s$/, ""));
  if (bytes > 0) return bytes;
  throw new CommandError(exitCode.usage, `${flag} is at least one byte a second, such as 8MB/s`);
}
