/** A key that waits for its turn, the one that signs, and those that once did: spec/tokens.md §5. */
export type SigningKeyState = "next" | "signing" | "verifying";

/** One key of a set. Times are milliseconds since 1970. */
export type RotatingKey = {
  readonly kid: string;
  readonly state: SigningKeyState;
  /** When it came into this state. */
  readonly since: number;
  /** What it signed has expired then; 0 as long as it signed nothing. */
  readonly signedUntil: number;
};

/** One step of a rotation, to be carried out before the one after it. */
export type RotationStep =
  /** Makes a key, and publishes it in this state. */
  | { readonly kind: "make"; readonly state: "next" | "signing" }
  /** Lets the next key sign; the one that signed, where there is one, only verifies from now on. */
  | { readonly kind: "promote"; readonly kid: string }
  /** Publishes a key no longer. */
  | { readonly kind: "remove"; readonly kid: string };

export type RotationTimings = {
  /** How long a key signs. */
  readonly rotateAfterMs: number;
  /** How long a key is published before it signs: everybody who verifies has it by then. */
  readonly publishAheadMs: number;
  /** How long a key is published after what it signed has expired: the clocks of others may be behind. */
  readonly lingerMs: number;
};

/**
 * What is due. One key signs and one waits, always: so the next one was published long before it is needed, also when
 * it is needed at once. `asked` makes a rotation due whatever the age; it has to wait while {@link waitsUntil} says so.
 */
export function planRotation(
  keys: readonly RotatingKey[],
  now: number,
  timings: RotationTimings,
  asked = false,
): readonly RotationStep[] {
  const [signing, next] = [inState(keys, "signing"), inState(keys, "next")];
  const removals = keys
    .filter((key) => key.state === "verifying" && removedAt(key, timings) <= now)
    .map(({ kid }): RotationStep => ({ kind: "remove", kid }));
  const makeNext: RotationStep = { kind: "make", state: "next" };
  if (signing === undefined) {
    // The first start, or the key was lost: nobody can have been told of the one that has to sign now.
    const sign: RotationStep =
      next === undefined ? { kind: "make", state: "signing" } : { kind: "promote", kid: next.kid };
    return [sign, makeNext, ...removals];
  }
  if (next === undefined) return [makeNext, ...removals];
  const isDue = asked || now - signing.since >= timings.rotateAfterMs;
  if (!isDue || now < waitsUntil(next, timings)) return removals;
  return [{ kind: "promote", kid: next.kid }, makeNext, ...removals];
}

/** When a key that was made as the next one may sign. */
export function waitsUntil({ since }: RotatingKey, { publishAheadMs }: RotationTimings): number {
  return since + publishAheadMs;
}

/** When a key that verifies is published no longer: at once, if it signed nothing. */
export function removedAt({ since, signedUntil }: RotatingKey, { lingerMs }: RotationTimings): number {
  return Math.max(since, signedUntil + lingerMs);
}

/** The keys after one step; `made` is the kid of the key that the step made. */
export function rotated(
  keys: readonly RotatingKey[],
  step: RotationStep,
  now: number,
  made: string,
): readonly RotatingKey[] {
  switch (step.kind) {
    case "make":
      return [...keys, { kid: made, state: step.state, since: now, signedUntil: 0 }];
    case "promote":
      return keys.map((key): RotatingKey => {
        if (key.kid === step.kid) return { ...key, state: "signing", since: now };
        return key.state === "signing" ? { ...key, state: "verifying", since: now } : key;
      });
    case "remove":
      return keys.filter(({ kid }) => kid !== step.kid);
  }
}

function inState(keys: readonly RotatingKey[], state: SigningKeyState): RotatingKey | undefined {
  return keys.find((key) => key.state === state);
}
