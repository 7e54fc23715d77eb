import { hash } from "node:crypto";
import { type Decision, decodeDecision, encodeDecision, renderDecision } from "@catalyst/evidence";
import {
  type CborInput,
  type Cid,
  cidOfBlock,
  cidToBytes,
  decodeCbor,
  encodeCbor,
  formatCid,
} from "@catalyst/wire";
import { now } from "../../../packages/evidence/test/parties.ts";
import { toHex } from "../../../packages/wire/test/hex.ts";
import { toNotation } from "../../../packages/wire/test/notation.ts";
import type { VectorFile } from "../wire-vectors.ts";
import { nested } from "./envelope-case.ts";

const input = (text: string): Cid => cidOfBlock(hash("sha256", text, "buffer"), "cbor");
const inputs = ["binding 41", "binding 42", "grant"].map(input);

const ofHandle: Decision = {
  question: { kind: "resolve", handle: "holo://acme/app:stable" },
  asOf: now,
  policy: input("policy"),
  inputs,
  steps: [
    { rule: "signer is allowed", outcome: "2 of 2", inputs: [0, 1] },
    { rule: "highest revision", outcome: "42", inputs: [1] },
    { rule: "grant is alive", outcome: "yes", inputs: [2] },
  ],
  result: cidToBytes(input("object")),
};

/** The trace that the receipt of a resolution refers to. */
export const traceOfHandle = encodeDecision(ofHandle);

const good: Readonly<Record<string, Decision>> = {
  "the resolution of a handle": ofHandle,
  "inputs of each content and hash, in the order of their bytes": {
    ...ofHandle,
    inputs: (["cbor", "raw"] as const).flatMap((content) =>
      (["sha2-256", "sha2-256-tree-16KiB", "sha2-256-tree-64KiB"] as const).map((hashing) =>
        formatCid({ content, hash: hashing, digest: hash("sha256", hashing, "buffer") }),
      ),
    ),
    steps: [{ rule: "all of them", outcome: "yes", inputs: [0, 1, 2, 3, 4, 5] }],
  },
  "twelve deep": {
    question: { kind: "test" },
    asOf: 0,
    inputs: [],
    steps: [],
    result: nested(11, 0) as Decision["result"],
  },
  "nothing decided": { question: { kind: "route" }, asOf: 0, inputs: [], steps: [], result: null },
  "a request that was denied, with text that plays tricks on a terminal": {
    question: { kind: "request", path: "/a\u001b[2Jb\u202ec", attempt: 1, headers: [true, null, -5] },
    asOf: now,
    policy: input("policy"),
    inputs: [],
    steps: [{ rule: "no rule allows it", outcome: "denied" }],
    result: { outcome: "denied" } as unknown as Decision["result"],
  },
};

const parts = {
  question: { kind: "route" },
  asOf: now,
  inputs: inputs.map(cidToBytes).sort(Buffer.compare),
  steps: [{ rule: "a", outcome: "b", inputs: [0, 2] }],
  result: null,
};

type Bad = { readonly bytes: Uint8Array; readonly code: string; readonly cause?: string };

const bad: Readonly<Record<string, Bad>> = {
  "no question": mismatch({ question: null }),
  "a question without a kind": mismatch({ question: { handle: "x" } }),
  "a question with a number as a key": mismatch({
    question: new Map<string | number, string>([
      ["kind", "route"],
      [1, "x"],
    ]),
  }),
  "a moment before 1970": mismatch({ asOf: -1 }),
  "inputs that are not sorted": mismatch({ inputs: [...parts.inputs].reverse() }),
  "an input twice": mismatch({ inputs: [parts.inputs[0] ?? null, ...parts.inputs] }),
  "a step that rests on an input that is not there": mismatch({
    steps: [{ rule: "a", outcome: "b", inputs: [3] }],
  }),
  "a step whose inputs are not in order": mismatch({ steps: [{ rule: "a", outcome: "b", inputs: [1, 0] }] }),
  "a step with an empty list of inputs": mismatch({ steps: [{ rule: "a", outcome: "b", inputs: [] }] }),
  "a step without an outcome": mismatch({ steps: [{ rule: "a" }] }),
  "a policy named by the CID of an object": mismatch({
    policy: cidToBytes(
      formatCid({ content: "cbor", hash: "sha2-256-tree-64KiB", digest: hash("sha256", "policy", "buffer") }),
    ),
  }),
  "1025 inputs": mismatch({ inputs: many(1_025), steps: [] }),
  "1025 steps": mismatch({ steps: Array.from({ length: 1_025 }, () => ({ rule: "a", outcome: "b" })) }),
  "a rule of 257 bytes": mismatch({ steps: [{ rule: "a".repeat(257), outcome: "b" }] }),
  "thirteen deep": refused("cbor_too_deep", { result: nested(12, 0) }),
  "16385 items": refused("cbor_too_many_items", { result: nested(1, 16_360) }),
  "a byte after the decision": {
    bytes: Uint8Array.of(...encodeCbor(parts), 0),
    code: "cbor_refused",
    cause: "cbor_trailing",
  },
  "a member that is not known": mismatch({ note: "x" }),
};

/** So many CIDs, in the order of their bytes. */
function many(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, at) => cidToBytes(input(String(at)))).sort(Buffer.compare);
}

function refused(cause: string, changes: Readonly<Record<string, CborInput>>): Bad {
  const limits = { maxDepth: 100, maxItems: 2 ** 16 };
  return { bytes: encodeCbor({ ...parts, ...changes }, limits), code: "cbor_refused", cause };
}

function mismatch(changes: Readonly<Record<string, CborInput>>): Bad {
  return { bytes: encodeCbor({ ...parts, ...changes }), code: "schema_mismatch" };
}

export function decisionVectors(): Readonly<Record<"good" | "bad", VectorFile>> {
  return {
    good: {
      about: "spec/evidence.md §6. Decisions, their CIDs, and how they are shown.",
      vectors: Object.entries(good).map(([name, decision]) => {
        const bytes = encodeDecision(decision);
        return {
          name,
          value: toNotation(decodeCbor(bytes)),
          hex: toHex(bytes),
          cid: cidOfBlock(bytes, "cbor"),
          text: renderDecision(decodeDecision(bytes)).split("\n"),
        };
      }),
    },
    bad: {
      about: "spec/evidence.md §6. Decisions that are refused with `code`.",
      vectors: Object.entries(bad).map(([name, { bytes, ...refusal }]) => ({
        name,
        hex: toHex(bytes),
        ...refusal,
      })),
    },
  };
}
