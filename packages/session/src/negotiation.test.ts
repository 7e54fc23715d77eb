import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PeerCertificate, SpiffeId } from "@catalyst/identity";
import { fromHex, toHex } from "../../wire/test/hex.ts";
import { readCases } from "../../wire/test/vectors.ts";
import { SessionError } from "./errors.ts";
import { transcriptOf } from "./message/accept.ts";
import { decodeMessage } from "./message/message.ts";
import { type Agreement, agree } from "./negotiation.ts";
import type { Candidate } from "./peer.ts";

type Case = {
  readonly role: "dialler" | "listener";
  readonly own: string;
  readonly theirs: string;
  readonly certificate: { readonly id: SpiffeId | null; readonly keyThumbprint: string } | null;
  readonly expected: string | null;
  readonly admitted: readonly string[];
};

const receivedAt = 1_800_000_000_250;

function judged({ own, theirs, certificate, expected, admitted }: Case) {
  const candidates: Candidate[] = [];
  const agreement = agree({
    own: openOf(own),
    theirs: openOf(theirs),
    remote: "10.0.0.2:7400",
    certificate: certificate === null ? null : certificateOf(certificate),
    expected,
    receivedAt,
    admit: (candidate, protocol) => {
      candidates.push(candidate);
      return admitted.includes(protocol)
        ? { admitted: true }
        : { admitted: false, reason: `no ${protocol} for you` };
    },
  });
  return { agreement, candidates };
}

function certificateOf({ id, keyThumbprint }: NonNullable<Case["certificate"]>): PeerCertificate {
  const kid = Buffer.from(keyThumbprint, "hex").toString("base64url");
  return {
    id,
    dnsNames: [],
    thumbprint: kid,
    keyThumbprint: kid as NonNullable<PeerCertificate["keyThumbprint"]>,
    serial: "00",
    notBefore: 0,
    notAfter: Number.MAX_SAFE_INTEGER,
    root: null,
  };
}

function openOf(hex: string) {
  const open = decodeMessage(fromHex(hex));
  assert.ok(open.kind === "open");
  return open;
}

describe("the vectors of spec/session.md §5.2", () => {
  for (const one of readCases<Case & { agreed: unknown; transcript: string }>(
    "session/agreement/good.json",
  )) {
    test(`${one.name}: agreed`, () => {
      const { agreement, candidates } = judged(one);
      assert.deepEqual(summaryOf(agreement), one.agreed);
      assert.equal(agreement.peer.authenticated, one.certificate !== null);
      assert.equal(agreement.peer.clockSkewMs, -250);
      for (const { node, purpose } of candidates) {
        assert.deepEqual([node, purpose], ["n2.acme.catalyst.internal", "control"]);
      }
      const [own, theirs] = [fromHex(one.own), fromHex(one.theirs)];
      const [dialler, listener] = one.role === "dialler" ? [own, theirs] : [theirs, own];
      assert.equal(toHex(transcriptOf(dialler, listener)), one.transcript);
    });
  }
  for (const one of readCases<Case & { code: string }>("session/agreement/bad.json")) {
    test(`${one.name}: refused as ${one.code}`, () => {
      assert.throws(
        () => judged(one),
        (error) => error instanceof SessionError && error.code === one.code && error.message.length > 10,
      );
    });
  }
});

function summaryOf({ version, holdMs, maxFrameBytes, protocols, unavailable }: Agreement) {
  return {
    unavailable: unavailable.map(({ protocol }) => protocol),
    version,
    holdMs,
    maxFrameBytes,
    protocols,
  };
}

test("a refusal for versions says which ones both ends have", () => {
  const cases = readCases<Case & { code: string }>("session/agreement/bad.json");
  const textOf = (name: string) => {
    const one = cases.find((each) => each.name === name);
    assert.ok(one !== undefined);
    try {
      judged(one);
    } catch (error) {
      return error instanceof SessionError ? error.message : String(error);
    }
    return "agreed";
  };
  assert.equal(textOf("no common version"), "session versions 1 are offered, 2 are known here");
  assert.equal(textOf("no common protocol"), "tp is offered, cp is known here");
  assert.equal(
    textOf("no common version of the protocol"),
    "of cp, versions 2 are offered, 1 are known here",
  );
});
