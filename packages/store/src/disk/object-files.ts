import type { DurableFile, FileSystem } from "@catalyst/durable";

/** The two files of an object that is not kept in the database: its bytes, and the digests of its tree. */
export type OpenObject = {
  readonly data: DurableFile;
  readonly outboard: DurableFile;
  close(): Promise<void>;
};

/** Where the files of objects lie: `objects/<id mod 256>/<id>.data` and `.outboard`. */
export class ObjectFiles {
  readonly system: FileSystem;
  readonly #folder: string;
  readonly #made = new Set<string>();

  constructor(system: FileSystem, folder: string) {
    this.system = system;
    this.#folder = `${folder}/objects`;
  }

  paths(id: number): { readonly data: string; readonly outboard: string } {
    const path = `${this.#folderOf(id)}/${id}`;
    return { data: `${path}.data`, outboard: `${path}.outboard` };
  }

  /** Makes both files, empty. They are there after a power cut once `syncFolder` has resolved. */
  async create(id: number): Promise<OpenObject> {
    await this.#make(this.#folder);
    await this.#make(this.#folderOf(id));
    return this.#open(id, "create");
  }

  /** Makes the names of an object's files survive a power cut. */
  syncFolder(id: number): Promise<void> {
    return this.system.syncFolder(this.#folderOf(id));
  }

  open(id: number, how: "read" | "update"): Promise<OpenObject> {
    return this.#open(id, how);
  }

  /** Removes the files of these objects, as far as there are any; they are gone for good when it resolves. */
  async remove(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const { data, outboard } = this.paths(id);
      await this.system.remove(data);
      await this.system.remove(outboard);
    }
    for (const folder of new Set(ids.map((id) => this.#folderOf(id)))) {
      if ((await this.system.stat(folder)) !== null) await this.system.syncFolder(folder);
    }
  }

  #folderOf(id: number): string {
    return `${this.#folder}/${(id % 256).toString(16).padStart(2, "0")}`;
  }

  async #open(id: number, how: "read" | "update" | "create"): Promise<OpenObject> {
    const paths = this.paths(id);
    const data = await this.system.open(paths.data, how);
    try {
      const outboard = await this.system.open(paths.outboard, how);
      const close = async () => {
        await data.close();
        await outboard.close();
      };
      return { data, outboard, close };
    } catch (error) {
      await data.close();
      throw error;
    }
  }

  async #make(folder: string): Promise<void> {
    if (this.#made.has(folder)) return;
    await this.system.makeFolder(folder);
    await this.system.syncFolder(folder.slice(0, folder.lastIndexOf("/")));
    this.#made.add(folder);
  }
}
