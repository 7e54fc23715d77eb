import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { createSessions, tlsTransports } from "@catalyst/session";

const acme = await createTestOrganisation("acme.catalyst.internal");
const globex = await createTestOrganisation("globex.catalyst.internal");

test("a connection of the strangers' protocol is handed over with any certificate, and is half open until it is closed", async () => {
  const { cert, key } = await acme.issue("n1", "orchestrator");
  const trust = { roots: [acme.root], pinned: [], denied: [] };
  const taken: TLSSocket[] = [];
  const sessions = createSessions(
    {
      node: `n1.${acme.domain}`,
      domain: acme.domain,
      transports: tlsTransports({
        credentials: () => ({ certificateChain: cert, privateKey: key, trust }),
        strangers: { name: "strangers/1", take: (socket) => taken.push(socket) },
      }),
      protocols: [{ name: "cp", versions: [1], open: () => undefined }],
      admit: () => ({ admitted: true }),
    },
    { maxHalfOpen: 2, maxHalfOpenPerAddress: 2 },
  );
  await using _sessions = sessions;
  const [host = "", port = ""] = (await sessions.listen("127.0.0.1:0")).split(":");
  const stranger = await globex.issue("m1", "orchestrator");
  const dial = (protocol: string) => {
    const shown = { cert: stranger.cert, key: stranger.key, rejectUnauthorized: false };
    const socket = connect({ host, port: Number(port), ...shown, ALPNProtocols: [protocol] });
    return socket.on("error", () => undefined).resume();
  };
  const closed = (socket: TLSSocket) => new Promise((resolve) => socket.once("close", resolve));
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const two = [dial("strangers/1"), dial("strangers/1")];
  await until(() => taken.length === 2);
  assert.deepEqual(
    taken.map(({ authorized, alpnProtocol }) => [authorized, alpnProtocol]),
    [
      [false, "strangers/1"],
      [false, "strangers/1"],
    ],
  );
  assert.equal(sessions.snapshot().halfOpen, 2);
  await closed(dial("strangers/1"));
  assert.equal(taken.length, 2);
  for (const socket of two) socket.destroy();
  await until(() => sessions.snapshot().halfOpen === 0);

  // The same certificate opens no session.
  await closed(dial("catalyst-session/1"));
  assert.equal(taken.length, 2);
  assert.equal(sessions.snapshot().halfOpen, 0);

  // Who closes takes along those that it has.
  const last = dial("strangers/1");
  await until(() => taken.length === 3);
  const gone = closed(last);
  await sessions.close();
  await gone;
});
