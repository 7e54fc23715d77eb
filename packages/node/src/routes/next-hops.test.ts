import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NextHops } from "./next-hops.ts";

const hop = (host: string, node = "n2") => ({
  host,
  port: 10_002,
  sni: `${node}.acme.test`,
  spiffeId: `spiffe://acme.test/node/${node}/envoy`,
});
const hosts = (followed: readonly { host: string }[]) => followed.map(({ host }) => host);

test("Nobody is followed to addresses that no node has, or to this machine", () => {
  const places = ["10.0.0.2", "node.example", "2001:db8::1"];
  const traps = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "a.localhost"];
  const nobodys = ["169.254.169.254", "0.0.0.0", "::", "fe80::1", "224.0.0.1", "255.255.255.255", "ff02::1"];
  const all = [...places, ...traps, ...nobodys].map((host) => hop(host));
  assert.deepEqual(hosts(new NextHops("192.0.2.1").follow("a", all)), places);
  assert.deepEqual(hosts(new NextHops("127.0.0.1").follow("a", all)), [...places, ...traps]);
});

test("More next hops than the limit are followed when others have gone", () => {
  const hops = new NextHops("192.0.2.1", 2);
  const three = [hop("10.0.0.1"), hop("10.0.0.2"), hop("10.0.0.3")];
  assert.deepEqual(hosts(hops.follow("a", three)), ["10.0.0.1", "10.0.0.2"]);
  assert.equal(hops.isFull, true);
  assert.deepEqual(hosts(hops.follow("b", [hop("10.0.0.4"), hop("10.0.0.2")])), ["10.0.0.2"]);
  hops.follow("a", []);
  assert.deepEqual(hosts(hops.follow("b", [hop("10.0.0.4"), hop("10.0.0.2")])), ["10.0.0.4", "10.0.0.2"]);
});

test("Whatever services come and go, no more are followed than the limit, and room that was given back is there", () => {
  const services = fc.constantFrom("a", "b", "c");
  const some = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(services, some), { maxLength: 30 }), (steps) => {
      const hops = new NextHops("192.0.2.1", 3);
      const now = new Map<string, readonly string[]>();
      for (const [service, numbers] of steps) {
        now.set(
          service,
          hosts(
            hops.follow(
              service,
              numbers.map((n) => hop(`10.0.0.${n}`)),
            ),
          ),
        );
        assert.ok(new Set([...now.values()].flat()).size <= 3);
      }
      for (const service of ["a", "b", "c"]) hops.follow(service, []);
      assert.equal(hops.isFull, false);
      assert.equal(
        hops.follow(
          "d",
          [1, 2, 3].map((n) => hop(`10.0.1.${n}`)),
        ).length,
        3,
      );
    }),
  );
});
