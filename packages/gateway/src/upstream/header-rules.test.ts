import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AnswerHeaders } from "../service.ts";
import { headerOptions } from "./header-options.ts";
import { compileHeaderRules } from "./header-rules.ts";

const rulesOf = (options: object) => compileHeaderRules(headerOptions.parse(options));

describe("headers of a client's request", () => {
  const incoming = {
    host: "acme.catalyst.internal",
    authorization: "Bearer x",
    "x-api-key": "k",
    "x-catalyst-client-certificate": "c",
    "x-catalyst-caller": "apikey:ci",
    cookie: "session=1",
    "accept-language": "de",
    traceparent: "00-1-2-01",
    "x-app-tenant": "t1",
    "x-app-user": "u1",
    "x-envoy-original-path": "/",
    "x-request-id": "r",
    "content-type": "application/json",
  };
  const usual = {
    authorization: "Bearer x",
    "x-api-key": "k",
    "x-catalyst-client-certificate": "c",
    "accept-language": "de",
    traceparent: "00-1-2-01",
  };

  it("go on to services without a rule when they are credentials, the language or the trace, cookies not", () => {
    assert.deepEqual(rulesOf({}).forward(incoming), { headers: usual });
  });

  it("go on by name, by prefix and under another name, and constants besides, the later rule winning", () => {
    const request = [
      { name: "cookie" },
      { prefix: "x-app-" },
      { name: "x-app-user", remove: true },
      { name: "x-app-user", as: "x-user" },
      { name: "x-region", value: "eu" },
      { name: "accept-language", remove: true },
    ];
    const { "accept-language": _, ...others } = usual;
    assert.deepEqual(rulesOf({ request }).forward(incoming), {
      headers: { ...others, cookie: "session=1", "x-app-tenant": "t1", "x-user": "u1", "x-region": "eu" },
    });
  });

  it("go to the services alone that their rule names, and may be kept from these alone", () => {
    const request = [
      { name: "x-app-tenant", services: ["billing"] },
      { prefix: "auth", remove: true, services: ["weather"] },
    ];
    const { headers, headersFor } = rulesOf({ request }).forward(incoming);
    const { authorization: _, ...others } = usual;
    assert.deepEqual(headers, usual);
    assert.deepEqual(Object.fromEntries(headersFor ?? []), {
      billing: { ...usual, "x-app-tenant": "t1" },
      weather: others,
    });
  });

  it("never go on when they belong to the connection, to the body, to the gateway or to Envoy", () => {
    assert.deepEqual(
      rulesOf({ request: [{ prefix: "x" }, { prefix: "c" }, { prefix: "h" }] }).forward(incoming),
      {
        headers: { ...usual, cookie: "session=1", "x-app-tenant": "t1", "x-app-user": "u1" },
      },
    );
  });
});

describe("headers of services' answers", () => {
  const collected = (response: object[], answers: readonly [string, Record<string, string | string[]>][]) => {
    const sink: AnswerHeaders = new Map();
    const { collect } = rulesOf({ response });
    for (const [service, headers] of answers) collect?.(service, headers, sink);
    return Object.fromEntries(sink);
  };
  const answers: [string, Record<string, string | string[]>][] = [
    ["products", { "cache-control": "max-age=60", "set-cookie": ["a=1"], "x-cost": "3", etag: "1" }],
    ["reviews", { "cache-control": "no-store", "set-cookie": ["b=2", "c=3"], "x-cost": "4" }],
  ];

  it("stay inside without a rule, which then costs nothing", () => {
    assert.equal(rulesOf({}).collect, null);
    assert.equal(rulesOf({}).collectsFrom("products"), false);
  });

  it("go to the client by rule: first, last or all, and every cookie", () => {
    const merged = (merge: string) => collected([{ name: "cache-control", merge }], answers)["cache-control"];
    assert.deepEqual(merged("first"), ["max-age=60"]);
    assert.deepEqual(merged("last"), ["no-store"]);
    assert.deepEqual(merged("all"), ["max-age=60", "no-store"]);
    assert.deepEqual(collected([{ name: "set-cookie" }], answers), { "set-cookie": ["a=1", "b=2", "c=3"] });
  });

  it("go from the services alone that the rule names, under the name that it gives", () => {
    const response = [
      { prefix: "x-c", services: ["reviews"] },
      { name: "etag", as: "x-etag" },
    ];
    assert.deepEqual(collected(response, answers), { "x-cost": ["4"], "x-etag": ["1"] });
    const { collectsFrom } = rulesOf({ response: response.slice(0, 1) });
    assert.deepEqual([collectsFrom("reviews"), collectsFrom("products")], [true, false]);
  });

  it("never go to the client when they belong to the connection or the body, or cannot be sent", () => {
    const bad = {
      connection: "close",
      "content-length": "1",
      "x-envoy-a": "1",
      "x-bad": "\u{1f600}",
      "x-a": "1",
    };
    assert.deepEqual(collected([{ prefix: "c" }, { prefix: "x-" }], [["products", bad]]), { "x-a": ["1"] });
  });

  it("are bounded, however many a service sends", () => {
    const many = Array.from({ length: 500 }, (_, i) => `c${i}=1`);
    const sink = collected(
      [{ name: "set-cookie" }],
      [
        ["products", { "set-cookie": many }],
        ["reviews", { "set-cookie": many }],
      ],
    );
    assert.equal(sink["set-cookie"]?.length, 50);
  });
});

describe("a header rule", () => {
  for (const [what, request] of [
    ["neither name nor prefix", { as: "x-a" }],
    ["both name and prefix", { name: "a", prefix: "b" }],
    ["two actions", { name: "a", as: "b", remove: true }],
    ["a prefix under another name", { prefix: "a", as: "b" }],
    ["a value for a prefix", { prefix: "a", value: "b" }],
    ["a header of the connection", { name: "transfer-encoding" }],
    ["a header that Envoy sets", { name: "x-catalyst-caller", value: "admin" }],
    ["such a header as the new name", { name: "x-user", as: "x-catalyst-caller" }],
    ["a line end in its value", { name: "x-a", value: "a\r\nb: c" }],
    ["a name in upper case", { name: "X-A" }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.equal(headerOptions.safeParse({ request: [request] }).success, false);
    });
  }
});
