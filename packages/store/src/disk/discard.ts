import type { DiskParts } from "./parts.ts";

/**
 * Undoes what was begun: the row of an object that never came to be, and its files. Gives back the space first: on a
 * full disk there may be none to say so in the database. The names are gone for good before the row is, or a power cut
 * could bring them back with nothing that knows of them.
 */
export async function discard({ files, objects, commits }: DiskParts, id: number): Promise<void> {
  await files.remove([id]);
  await commits.run(() => objects.remove(id));
}

/** The same after a failure, which is the one to tell: what is left then is removed when the store is opened. */
export async function discardAfterFailure(parts: DiskParts, id: number): Promise<void> {
  await discard(parts, id).catch(() => {});
}
