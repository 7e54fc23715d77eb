// Runs in a browser, from nothing but the portable doors: every vector of envelopes, receipts, files and bundles.
import {
  createTrust,
  decodeReceiptFile,
  EvidenceError,
  verifyBundle,
  verifyReceipt,
  verifyStatement,
  webCrypto,
} from "@catalyst/evidence/portable";
import { parseKid, parseStatementKey, type TrustRoot } from "@catalyst/identity/portable";

type Case = {
  readonly name: string;
  readonly roots: readonly { name: string; covers: TrustRoot["covers"]; kid: string; key?: string }[];
  readonly asOf: number;
  readonly hex?: string;
  readonly envelopes?: readonly string[];
  readonly delegations?: readonly string[];
  readonly audience?: string;
  readonly code?: string;
};

const crypto = webCrypto();
const bytesOf = (hex = "") => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const checks: Readonly<Record<string, (one: Case, roots: readonly TrustRoot[]) => Promise<unknown>>> = {
  "evidence-envelope": async ({ hex, delegations = [], asOf, audience }, roots) => {
    const trust = await createTrust({ roots, delegations: delegations.map(bytesOf) }, crypto);
    const options = { crypto, trust, asOf, ...(audience === undefined ? {} : { audience }) };
    return verifyStatement(bytesOf(hex), "application/vnd.catalyst.test+cbor", options);
  },
  "evidence-receipt": async ({ envelopes = [], asOf, audience }, roots) => {
    const trust = await createTrust({ roots }, crypto);
    const options = { crypto, trust, asOf, ...(audience === undefined ? {} : { audience }) };
    return verifyReceipt(envelopes.map(bytesOf), options);
  },
  "evidence-file": async ({ hex, asOf }, roots) => {
    const trust = await createTrust({ roots }, crypto);
    return verifyReceipt(decodeReceiptFile(bytesOf(hex)), { crypto, trust, asOf });
  },
  "evidence-bundle": ({ hex, asOf }, roots) => verifyBundle(bytesOf(hex), { crypto, roots, asOf }),
};

async function resultOf(check: () => Promise<unknown>): Promise<string> {
  try {
    await check();
    return "accepted";
  } catch (error) {
    return error instanceof EvidenceError ? error.code : String(error);
  }
}

const wrong: string[] = [];
let count = 0;
for (const [folder, check] of Object.entries(checks)) {
  for (const file of ["good", "bad"]) {
    const { vectors } = (await (await fetch(`/spec/vectors/${folder}/${file}.json`)).json()) as {
      vectors: Case[];
    };
    for (const one of vectors) {
      const roots = one.roots.map(({ name, covers, kid, key }) => {
        return { name, covers, kid: parseKid(kid), key: key === undefined ? null : parseStatementKey(key) };
      });
      const result = await resultOf(() => check(one, roots));
      if (result !== (one.code ?? "accepted")) wrong.push(`${folder}, ${one.name}: ${result}`);
      count++;
    }
  }
}
await fetch("/", { method: "POST", body: JSON.stringify({ count, wrong }) });
