/** The environment as the command line sees it; the one place that reads it. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
