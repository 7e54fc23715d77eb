/** A call that waits for something to happen is answered after this long at the latest, though nothing did. */
export const watchPatienceMs = 25_000;

/** Whoever calls it waits this long, and takes a longer silence for a process that hangs. */
export const watchTimeoutMs = 35_000;
