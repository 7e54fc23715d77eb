/** The environment as the command line sees it; the one place that reads it. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;

/** The directory that relative paths on the command line start from. */
export function workingDirectory(): string {
  return process.cwd();
}
