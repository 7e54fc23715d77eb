import { existsSync, readFileSync } from "node:fs";
import { type Credentials, credentials } from "@catalyst/rpc";

/** What the orchestrator last heard of the auth process; null when it never did. Throws when it is damaged. */
export function readCredentials(path: string): Credentials | null {
  if (!existsSync(path)) return null;
  return credentials.parse(JSON.parse(readFileSync(path, "utf8")));
}
