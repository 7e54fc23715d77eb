import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePorts, getByHost, NodeUnderTest, shop } from "@catalyst/harness";
import { enrol, HonestPeer } from "./enrolled-peer.ts";

// A node with a certificate of the organisation, and routes whose names are none of a service.

const domain = "test.catalyst.internal";
const full = (label: string) => `${label}.${domain}`;

describe("Routes of a member that means ill", () => {
  let services: Awaited<ReturnType<typeof shop>>;
  let hub: NodeUnderTest;
  let evil: HonestPeer;

  before(async () => {
    services = await shop();
    const [port = 0, authority = 0] = await freePorts(2);
    const address = `127.0.0.1:${port}`;
    hub = await NodeUnderTest.start({
      services: [services.products.declaration],
      flags: ["--listen-peers", address, "--auth-authority-listen", `127.0.0.1:${authority}`],
    });
    evil = new HonestPeer(await enrol(hub, "evil"), { node: full("n1"), address });
  });

  after(async () => {
    await evil?.[Symbol.asyncDispose]();
    await hub?.[Symbol.asyncDispose]();
    await services?.[Symbol.asyncDispose]();
  });

  const told = (service: string, present: boolean) =>
    hub.until(`the route of ${service}`, 10_000, async () => {
      return (await hub.routes("received")).some((row) => row.service === service) === present;
    });
  /** What was told before this is in force: so is a service that is told and served after it. */
  const settled = async (name: string) => {
    await hub.addService({ name, protocol: "http", url: "http://127.0.0.1:9" });
  };
  const asked = () => getByHost(hub.ports.ingress, full("graphql"), "/graphql?query=%7B__typename%7D");

  test("One named like the gateway does not take its place, and does not take it along", async () => {
    await hub.until("the gateway at its Host", 15_000, async () => (await asked()).status === 200);
    const service = full("graphql");
    evil.peering.apply({ kind: "originate", route: { service, protocol: "http" } });
    await told(service, true);
    await settled("a");
    assert.equal((await asked()).status, 200);
    evil.peering.apply({ kind: "withdraw", service });
    await told(service, false);
    await settled("b");
    assert.equal((await asked()).status, 200);
  });

  test("One whose name no service may have does not keep others from the gateway", async () => {
    const service = full("1st");
    evil.peering.apply({ kind: "originate", route: { service, protocol: "graphql" } });
    await told(service, true);
    await hub.addService(services.reviews.declaration);
    await hub.until("the query over both", 10_000, async () => {
      const { body } = await hub.query("{ products { name reviews { rating } } }");
      return body.errors === undefined;
    });
  });
});
