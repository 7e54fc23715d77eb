import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { createSite } from "../test/browser-site.ts";

const folders = (process.env["PATH"] ?? "").split(delimiter);
const browser = ["chromium", "chromium-browser", "google-chrome"]
  .flatMap((name) => folders.map((folder) => join(folder, name)))
  .find((path) => existsSync(path));

const missing =
  browser === undefined ? "no Chromium is installed: `apt-get install chromium` brings one" : false;

test("every vector is judged the same in a browser, from the sources alone", { skip: missing }, async () => {
  const profile = mkdtempSync(join(tmpdir(), "catalyst-browser-"));
  const result = Promise.withResolvers<string>();
  const site = createSite(result.resolve);
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  const url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    `--user-data-dir=${profile}`,
  ];
  const child = spawn(browser ?? "", [...flags, url], { stdio: "ignore", detached: true });
  const timer = setTimeout(() => result.reject(new Error("the page said nothing for 60 s")), 60_000);
  child.once("error", result.reject);
  try {
    const { count, wrong } = JSON.parse(await result.promise) as { count: number; wrong: string[] };
    assert.deepEqual(wrong, []);
    assert.ok(count > 200, `${count} vectors`);
  } finally {
    clearTimeout(timer);
    site.close();
    site.closeAllConnections();
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});
