import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { authContract, type Credentials, type Implementation, serveRpc } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createOrchestratorEvents } from "../orchestrator-events.ts";
import { AuthLink } from "./auth-link.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-auth-link-"));
after(() => rmSync(folder, { recursive: true }));
const logger = createLogger({ process: "test", level: "silent" });
const events = createOrchestratorEvents(logger, createMetrics());

function news(version: number, ...jtis: string[]): Credentials {
  const revoked = jtis.map((jti) => ({ jti, until: "2100-01-01T00:00:00Z" }));
  return { version, issuers: [], revoked };
}

/** An auth process that says what it is told to. */
async function startAuth(name: string, first: Credentials) {
  let current = first;
  let wake = () => {};
  const socketPath = join(folder, `${name}.sock`);
  const implementation = {
    credentials: () => current,
    watch: async ({ after: version }: { after: number }) => {
      if (current.version === version) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return current;
    },
  } as unknown as Omit<Implementation<typeof authContract>, "hello">;
  const server = await serveRpc({
    socketPath,
    process: "auth",
    release: "0",
    contract: authContract,
    implementation,
    logger,
  });
  const say = (next: Credentials) => {
    current = next;
    wake();
  };
  return { say, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** A link, and the versions that it brought into force with those that were on disk by then. */
function link(name: string, { refuse = -1 } = {}) {
  const stop = new AbortController();
  const file = join(folder, `${name}.json`);
  const inForce: [number, number][] = [];
  const made = new AuthLink({
    socketPath: join(folder, `${name}.sock`),
    file,
    events,
    stopping: stop.signal,
    prepare: ({ version }) => {
      if (version === refuse) throw new Error("no JWK Set");
      return () => inForce.push([version, JSON.parse(readFileSync(file, "utf8")).version]);
    },
  });
  const end = async () => {
    stop.abort();
    await made.ended;
  };
  return { made, file, inForce, [Symbol.asyncDispose]: end };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, "not within 5 s");
    await sleep(5);
  }
}

test("what changes is on disk before it is in force, and in force as soon as it is told", async () => {
  await using auth = await startAuth("news", news(1));
  await using subject = link("news");
  await until(() => subject.inForce.length === 1);
  auth.say(news(2, "a"));
  await until(() => subject.inForce.length === 2);
  assert.deepEqual(subject.inForce, [
    [1, 1],
    [2, 2],
  ]);
  assert.deepEqual(subject.made.state(), { connected: true, version: 2, revoked: 1, problem: null });
});

test("what cannot be used changes nothing, in force or on disk, and is told until there is something better", async () => {
  await using auth = await startAuth("bad", news(1));
  await using subject = link("bad", { refuse: 2 });
  await until(() => subject.inForce.length === 1);
  auth.say(news(2));
  await until(() => subject.made.state().problem !== null);
  assert.deepEqual(subject.made.state(), { connected: true, version: 1, revoked: 0, problem: "no JWK Set" });
  assert.equal(JSON.parse(readFileSync(subject.file, "utf8")).version, 1);
  auth.say(news(3));
  await until(() => subject.made.state().version === 3);
  assert.equal(subject.made.state().problem, null);
});

test("it begins with what was kept, and with nothing where that is damaged or was never there", async () => {
  writeFileSync(join(folder, "kept.json"), JSON.stringify(news(7, "a", "b")));
  writeFileSync(join(folder, "damaged.json"), '{"version":');
  const states = [];
  for (const name of ["kept", "damaged", "absent"]) {
    await using subject = link(name);
    states.push(subject.made.state());
  }
  const nothing = { connected: false, version: null, revoked: 0, problem: "no keys are known yet" };
  assert.deepEqual(states, [{ connected: false, version: 7, revoked: 2, problem: null }, nothing, nothing]);
});

test("an auth process that begins to count anew is believed, also at the number that was kept", async () => {
  writeFileSync(join(folder, "again.json"), JSON.stringify(news(1, "old")));
  await using _auth = await startAuth("again", news(1, "new", "newer"));
  await using subject = link("again");
  await until(() => subject.made.state().revoked === 2);
});
