import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  createTestOrganisation,
  issueBelow,
  issuingBelow,
  selfSigned,
  type TestIdentity,
  type TestOrganisation,
} from "../certificate/test-organisation.ts";
import type { AdmissionCode, AdmittedProtocol } from "./admit.ts";
import { type PeerTrust, pinnedCertificate } from "./peer-trust.ts";

/** What came of a peer at a door: who it is taken for, or why it is not in; null where the door cannot tell. */
export type Knock =
  | { readonly kind: "admitted"; readonly spiffeId: string | null }
  | { readonly kind: "refused"; readonly code: AdmissionCode | null };

/** One place where peers are admitted: Envoy's mesh listener, the session, transfer, Star. */
export type AdmissionDoor = AsyncDisposable & {
  /** A peer comes with a certificate and its key, or with none, and tries to speak the door's protocol. */
  knock(peer: TestIdentity | null): Promise<Knock>;
  /** From when this has resolved, the door goes by another trust; connections that it refuses are cut. */
  trust(trust: PeerTrust): Promise<void>;
};

/** Opens the door, for a protocol and whom that is for. Time is the machine's. */
export type OpenDoor = (trust: PeerTrust) => Promise<AdmissionDoor>;

type World = {
  readonly acme: TestOrganisation;
  readonly globex: TestOrganisation;
};

type Case = {
  readonly name: string;
  /** The peer, and what the door believes; by default both organisations, and nobody is denied. */
  readonly peer: (world: World) => Promise<TestIdentity | null>;
  readonly trust?: (world: World, peer: TestIdentity | null) => PeerTrust;
  /** A SPIFFE id without its process, or a refusal. */
  readonly expected: string | { readonly code: AdmissionCode };
};

const acmeDomain = "acme.catalyst.internal";
const globexDomain = "globex.catalyst.internal";
const hourMs = 3_600_000;

const both = ({ acme, globex }: World): PeerTrust => ({
  roots: [acme.root, globex.root],
  pinned: [],
  denied: [],
});

function serialOf(peer: TestIdentity | null): string {
  // A leaf's serial number of 16 bytes: behind the version, in the first element of the first element.
  const der = Buffer.from(peer?.chain[0] ?? []);
  return der.subarray(der.indexOf(Buffer.from("0210", "hex")) + 2).toString("hex", 0, 16);
}

/** Every case, for the certificates of one process. */
function casesFor(process: string): readonly Case[] {
  const admitted: Case[] = [
    {
      name: "a certificate of its organisation's root admits a node under its own name",
      peer: ({ acme }) => acme.issue("n2", process),
      expected: `spiffe://${acmeDomain}/node/n2`,
    },
    {
      name: "a peer organisation's root is good for its own names",
      peer: ({ globex }) => globex.issue("n1", process),
      expected: `spiffe://${globexDomain}/node/n1`,
    },
    {
      name: "a self-signed certificate that is pinned admits its node",
      peer: () => selfSigned({ domain: acmeDomain, node: "n3", process }),
      trust: (_world, peer) => pinning(peer),
      expected: `spiffe://${acmeDomain}/node/n3`,
    },
    {
      name: "a denied certificate leaves the others of its node as they were",
      peer: ({ acme }) => acme.issue("n2", process),
      trust: (world) => denying(world, { node: "n2", serial: "40".repeat(16) }),
      expected: `spiffe://${acmeDomain}/node/n2`,
    },
  ];
  return [...admitted, ...forgeries(process), ...withdrawn(process)];
}

/** Certificates that somebody made who may not. */
function forgeries(process: string): readonly Case[] {
  return [
    {
      name: "an organisation's root is good for no name of another one, though its certificates say so",
      peer: async ({ globex }) => {
        const forged = await issuingBelow(globex.rootAuthority, acmeDomain);
        return issueBelow(forged, { domain: acmeDomain, node: "n2", process });
      },
      expected: { code: "root_foreign" },
    },
    {
      name: "an issuing authority signs no name outside of its domain",
      peer: ({ globex }) => issueBelow(globex.issuing, { domain: acmeDomain, node: "n2", process }),
      expected: { code: "root_foreign" },
    },
    {
      name: "a node's own certificate signs no other one",
      peer: async ({ acme }) => {
        const { issuing } = acme;
        const leaf = await issueBelow(issuing, { domain: acmeDomain, node: "n2", process });
        const [certificate = new Uint8Array()] = leaf.chain;
        const secret = (await import("node:crypto")).createPrivateKey(leaf.key);
        const below = await issueBelow({ certificate, secret }, { domain: acmeDomain, node: "n9", process });
        const chain = [...below.chain, issuing.certificate];
        const { toPem } = await import("../certificate/pem.ts");
        return { ...below, chain, cert: chain.map((der) => toPem("CERTIFICATE", der)).join("") };
      },
      expected: { code: "root_foreign" },
    },
    {
      name: "an organisation that nobody told of is not admitted",
      peer: ({ globex }) => globex.issue("n1", process),
      trust: ({ acme }) => ({ roots: [acme.root], pinned: [], denied: [] }),
      expected: { code: "domain_unknown" },
    },
    {
      name: "a self-signed certificate that is not pinned is not admitted",
      peer: () => selfSigned({ domain: acmeDomain, node: "n3", process }),
      expected: { code: "root_foreign" },
    },
    {
      name: "a peer without a certificate is not admitted",
      peer: async () => null,
      expected: { code: "certificate_missing" },
    },
    {
      name: "a certificate of another process opens no door",
      peer: ({ acme }) => acme.issue("n2", "dashboard"),
      expected: { code: "process_unfit" },
    },
  ];
}

/** Certificates that were good, or will be. */
function withdrawn(process: string): readonly Case[] {
  return [
    {
      name: "an expired certificate is not admitted",
      peer: ({ acme }) => acme.issue("n2", process, { now: Date.now() - 2 * hourMs, lifetimeMs: hourMs }),
      expected: { code: "certificate_expired" },
    },
    {
      name: "a certificate whose time has not come is not admitted",
      peer: ({ acme }) => acme.issue("n2", process, { now: Date.now() + hourMs }),
      expected: { code: "certificate_early" },
    },
    {
      name: "a revoked node is not admitted with any certificate",
      peer: ({ acme }) => acme.issue("n2", process),
      trust: (world) => denying(world, { node: "n2", serial: null }),
      expected: { code: "node_denied" },
    },
    {
      name: "a revoked certificate is not admitted",
      peer: ({ acme }) => acme.issue("n2", process),
      trust: (world, peer) => denying(world, { node: "n2", serial: serialOf(peer) }),
      expected: { code: "certificate_denied" },
    },
  ];
}

function denying(world: World, denied: { node: string; serial: string | null }): PeerTrust {
  return { ...both(world), denied: [{ domain: acmeDomain, ...denied }] };
}

function pinning(peer: TestIdentity | null): PeerTrust {
  return { roots: [], pinned: [pinnedCertificate(peer?.chain[0] ?? new Uint8Array())], denied: [] };
}

/**
 * What every door of a node holds to, spec/enrolment.md §2. A refusal in TLS has no code of ours: the door then says
 * null, and that is as good.
 */
export function admissionContract(
  name: string,
  protocol: { readonly name: AdmittedProtocol; readonly process: string },
  open: OpenDoor,
): void {
  let world: World;
  before(async () => {
    const [acme, globex] = await Promise.all([acmeDomain, globexDomain].map(createTestOrganisation));
    assert.ok(acme !== undefined && globex !== undefined);
    world = { acme, globex };
  });
  for (const { name: sentence, peer, trust = both, expected } of casesFor(protocol.process)) {
    test(`${name}, ${protocol.name}: ${sentence}`, async () => {
      const identity = await peer(world);
      await using door = await open(trust(world, identity));
      judge(await door.knock(identity), expected, protocol.process);
    });
  }
  test(`${name}, ${protocol.name}: a node that is revoked while the door is open is not admitted any more`, async () => {
    const peer = await world.acme.issue("n2", protocol.process);
    await using door = await open(both(world));
    judge(await door.knock(peer), `spiffe://${acmeDomain}/node/n2`, protocol.process);
    await door.trust(denying(world, { node: "n2", serial: null }));
    judge(await door.knock(peer), { code: "node_denied" }, protocol.process);
    await door.trust(both(world));
    judge(await door.knock(peer), `spiffe://${acmeDomain}/node/n2`, protocol.process);
  });
}

function judge(knock: Knock, expected: Case["expected"], process: string): void {
  if (typeof expected === "string") {
    assert.equal(knock.kind, "admitted", JSON.stringify(knock));
    if (knock.kind === "admitted" && knock.spiffeId !== null)
      assert.equal(knock.spiffeId, `${expected}/${process}`);
    return;
  }
  assert.equal(knock.kind, "refused", JSON.stringify(knock));
  if (knock.kind === "refused" && knock.code !== null) assert.equal(knock.code, expected.code);
}
