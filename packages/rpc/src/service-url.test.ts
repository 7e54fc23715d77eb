import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { serviceUrl } from "./service-url.ts";

/** Why a URL is refused; undefined when it is taken. */
function refused(url: string): string | undefined {
  return serviceUrl.safeParse(url).error?.issues[0]?.message;
}

const label = "a".repeat(63);
const longest = `${label}.${label}.${label}.${"a".repeat(61)}`;

test("a URL that a service can be reached at is taken as it is written", () => {
  const urls = [
    ...[
      "https://h",
      "http://[::1]:4001/a/b",
      "http://host.example:80/graphql",
      "HTTP://Host/",
      "http://h:65535",
    ],
    ...["http://my_service:80/", "http://host.example./x", "http://bücher.example/", `http://${longest}/`],
    ...["http://2130706433/", "http://0x7f.1:4001/", "http://[::ffff:10.0.0.1]/", "http://169.254.1.1/"],
    ...["http://h/a%20b;c=1", "http://h/@x"],
  ];
  for (const url of urls) {
    assert.equal(refused(url), undefined, url);
    assert.equal(serviceUrl.parse(url), url);
  }
});

for (const [what, urls, because] of [
  ["is no URL", ["", "x", "ftp://h/", "unix:/x", "http:h", "//h/"], /not an http:\/\//],
  [
    "cannot be read",
    ["http://", "http://h:65536", "http://h:x", "http://[::1", "http://1.2.3.256/"],
    /host:port\/path/,
  ],
  [
    "has credentials",
    ["http://u:secret@h/", "http://u@h/", "http://@h/", "http://u:secret@/"],
    /user name or password/,
  ],
  [
    "has a query or fragment",
    ["http://h/?q", "http://h/?", "http://h#f", "http://h/#"],
    /query or a fragment/,
  ],
  ["has port 0", ["http://h:0/", "https://127.0.0.1:0"], /port 0/],
  [
    "has spaces or signs that are none",
    [" http://h", "http://h/a b", "http://h/\t", "http://h\n", "http://h\\x", "http://h/\u0000"],
    /space|not an http/,
  ],
  [
    "has a host that is no name",
    [
      "http://a..b/",
      "http://.a/",
      "http://-a/",
      "http://a-/",
      "http://a!b/",
      "http://a../",
      `http://${label}a/`,
    ],
    /DNS name/,
  ],
  [
    "has a host that is too long",
    [`http://a${longest}/`, `http://${"a.".repeat(200)}b/`],
    /longer than 253|DNS name/,
  ],
  [
    "leads to no machine",
    [
      "http://0.0.0.0",
      "http://0/",
      "http://1/",
      "http://[::]:1",
      "http://[::ffff:0.0.0.0]/",
      "http://0.1.2.3/",
    ],
    /127\.0\.0\.1 for this machine/,
  ],
  [
    "leads to many machines",
    ["http://224.0.0.1/", "http://239.255.255.255", "http://255.255.255.255/", "http://[ff02::1]/"],
    /group of machines/,
  ],
  ["leads to a machine that depends", ["http://[fe80::1]/", "http://[febf::]:80/"], /link-local/],
  ["could have no certificate", ["https://host.example./"], /without/],
  ["is endless", [`http://h/${"a".repeat(2_048)}`], /2048/],
] as const) {
  test(`a URL that ${what} is refused, with what to write`, () => {
    for (const url of urls) assert.match(refused(url) ?? "taken", because, url);
  });
}

test("a password is not repeated", () => {
  assert.doesNotMatch(refused("http://u:secret@h/") ?? "", /secret/);
  assert.match(refused("http:///u@h/") ?? "", /user name/);
});

test("what is taken names a host and a port, and nothing else before its path", () => {
  const part = fc.constantFrom(
    "http://",
    "https://",
    "a",
    "b.c",
    "..",
    ":",
    "0",
    "80",
    "[::]",
    "[::1]",
    "@",
    "/",
    "?",
    "#",
    " ",
    "255",
    ".",
    "%",
    "ﬀ",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const text = parts.join("");
      if (refused(text) !== undefined) return;
      const { username, password, search, hash, port, hostname } = new URL(text);
      assert.deepEqual([username, password, search, hash], ["", "", "", ""]);
      assert.notEqual(port, "0");
      assert.match(hostname, /^(\[[0-9a-f:]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?)$/);
    }),
    { numRuns: 2_000 },
  );
});
