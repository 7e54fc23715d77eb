import { realpathSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { NodeError } from "../errors.ts";

type DeviceFolder = { readonly name: string; readonly folder: string };

/**
 * Refuses devices that are one folder, by whatever path, or that lie in the folder of the store: a disk that fails
 * would take several shards with it. Throws {@link NodeError} `devices_overlap`.
 */
export function checkDevices(storeFolder: string, devices: readonly DeviceFolder[]): void {
  const store = realPath(storeFolder);
  const known = new Map<string, string>();
  for (const { name, folder } of devices) {
    const path = realPath(folder);
    if (path === store || path.startsWith(`${store}${sep}`)) {
      throw overlap(`${name} lies in the folder of the store, ${storeFolder}`);
    }
    const other = known.get(path);
    if (other !== undefined) throw overlap(`${other} and ${name} are one folder, ${folder}`);
    known.set(path, name);
  }
}

/** Where a path leads to, as far as it is there. */
function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const above = dirname(whole);
    return above === whole ? whole : join(realPath(above), whole.slice(above.length));
  }
}

function overlap(what: string): NodeError {
  return new NodeError(
    "devices_overlap",
    `content.devices: ${what}: give each device a folder on its own disk`,
  );
}
