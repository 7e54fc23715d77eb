import { encodeFrame } from "@catalyst/wire";
import { fromHex, toHex } from "../../../packages/wire/test/hex.ts";
import type { VectorFile } from "../wire-vectors.ts";

const streams: Readonly<Record<string, readonly string[]>> = {
  "no frame": [],
  "one byte": ["00"],
  "a payload that looks like a head": ["00000001"],
  "three messages of CBOR": ["a1616101", "80", "d28440a0f640"],
  "256 bytes": ["ab".repeat(256)],
};

export function frameVectors(): VectorFile {
  return {
    about: "spec/wire.md §5. A stream, and the payloads of its frames.",
    vectors: Object.entries(streams).map(([name, payloads]) => ({
      name,
      payloads,
      hex: payloads.map((payload) => toHex(encodeFrame(fromHex(payload)))).join(""),
    })),
  };
}
