import { type CborInput, type CborValue, type Cid, cidToBytes } from "@catalyst/wire/portable";
import { decodeCanonical, encodeCanonical } from "../canonical.ts";
import {
  anything,
  blockCid,
  cid,
  type Field,
  integer,
  listOf,
  mismatch,
  optional,
  type RecordOf,
  record,
  textUpTo,
} from "../record.ts";

/** One step of a decision: a rule, what it came to, and the inputs that it rests on, by their place in `inputs`. */
export type DecisionStep = {
  readonly rule: string;
  readonly outcome: string;
  readonly inputs?: readonly number[];
};

/**
 * Why something is as it is, spec/evidence.md §6: a pure function of the inputs, the moment and the policy. Equal
 * decisions have equal bytes, and so an equal CID, on any node.
 */
export type Decision = {
  readonly question: { readonly kind: string } & Readonly<Record<string, CborValue>>;
  /** Seconds since 1970: the moment that expiry was judged at. */
  readonly asOf: number;
  /** The policy in force; left out where none was asked. */
  readonly policy?: Cid;
  /** What decided, and nothing else; in any order when it is written, sorted by their bytes when it is read. */
  readonly inputs: readonly Cid[];
  readonly steps: readonly DecisionStep[];
  readonly result: CborValue;
};

/** What a decision may take. */
export const decisionLimits = { maxBytes: 262_144, maxDepth: 12, maxItems: 16_384 } as const;

const maxInputs = 1_024;
const maxSteps = 1_024;

const question: Field<Decision["question"]> = {
  read: (value, place) => {
    if (!(value instanceof Map)) return mismatch(place, "a map");
    for (const key of value.keys()) if (typeof key !== "string") mismatch(`${place}.${key}`, "named by text");
    const kind = textUpTo(128).read(value.get("kind") ?? null, `${place}.kind`);
    return { ...Object.fromEntries(value), kind };
  },
  write: (value) => value as { readonly [key: string]: CborInput },
};

const step: Field<DecisionStep> = record({
  rule: textUpTo(256),
  outcome: textUpTo(1_024),
  inputs: optional(listOf(integer(0, maxInputs - 1), 1, maxInputs)),
});

const fields = {
  question,
  asOf: integer(),
  policy: optional(blockCid),
  inputs: listOf(cid, 0, maxInputs),
  steps: listOf(step, 0, maxSteps),
  result: anything,
};
const decision: Field<RecordOf<typeof fields>> = record(fields);

/**
 * The bytes of a decision, a block whose CID names it. The inputs are sorted, and the steps' references with them;
 * one that is given twice counts once. Throws {@link EvidenceError} `schema_mismatch` or `too_large`.
 */
export function encodeDecision(given: Decision): Uint8Array {
  const bytes = encodeCanonical(decision.write(sorted(given)), decisionLimits);
  decodeDecision(bytes);
  return bytes;
}

/** Reads a decision. Throws {@link EvidenceError} `too_large`, `cbor_refused` or `schema_mismatch`. */
export function decodeDecision(bytes: Uint8Array): Decision {
  const read = decision.read(decodeCanonical(bytes, decisionLimits), "decision");
  for (const [at, input] of read.inputs.entries()) {
    const before = read.inputs[at - 1];
    if (before !== undefined && compareCids(before, input) >= 0)
      mismatch(`decision.inputs[${at}]`, "in order");
  }
  for (const [at, { inputs = [] }] of read.steps.entries()) {
    const place = `decision.steps[${at}].inputs`;
    for (const [position, input] of inputs.entries()) {
      if (input >= read.inputs.length) mismatch(place, "among the inputs");
      if (position > 0 && (inputs[position - 1] ?? 0) >= input) mismatch(place, "in order");
    }
  }
  return read;
}

function sorted(given: Decision): Decision {
  const inputs = [...new Set(given.inputs)].sort(compareCids);
  const places = given.inputs.map((input) => inputs.indexOf(input));
  const steps = given.steps.map((one) => {
    if (one.inputs === undefined) return one;
    const moved = one.inputs.map((at) => places[at] ?? mismatch("decision.steps", "a reference to an input"));
    return { ...one, inputs: [...new Set(moved)].sort((a, b) => a - b) };
  });
  return { ...given, inputs, steps };
}

/** Compares binary CIDs byte by byte; the shorter first. */
function compareCids(a: Cid, b: Cid): number {
  const [left, right] = [cidToBytes(a), cidToBytes(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
