type Syncing = { readonly running: Promise<void>; next: Promise<void> | null };

/** Syncs folders; those who want the same one synced while that is done share the sync after it. */
export class FolderSync {
  readonly #folders = new Map<string, Syncing>();

  /** Resolves when a sync of the folder has ended that began after this call; `key` tells the folder from others. */
  async sync(key: string, run: () => Promise<void>): Promise<void> {
    const syncing = this.#folders.get(key);
    if (syncing === undefined) return await this.#begin(key, run);
    syncing.next ??= syncing.running.catch(() => undefined).then(() => this.#begin(key, run));
    return await syncing.next;
  }

  #begin(key: string, run: () => Promise<void>): Promise<void> {
    const running = run();
    const syncing: Syncing = { running, next: null };
    this.#folders.set(key, syncing);
    const end = () => {
      if (syncing.next === null) this.#folders.delete(key);
    };
    running.then(end, end);
    return running;
  }
}
