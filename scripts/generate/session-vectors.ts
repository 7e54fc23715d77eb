// The vectors of spec/session.md, good and bad, from what is written down in scripts/generate/session. Bytes are made from
// the numbers of the specification, not by the codec that the tests hold to them.
import type { Generated } from "../generate.ts";
import { agreementVectors } from "./session/agreement.ts";
import { collisionVectors } from "./session/collision.ts";
import { creditVectors } from "./session/credit.ts";
import { messageVectors } from "./session/message.ts";
import { format, type VectorFile } from "./wire-vectors.ts";

export function generateSessionVectors(): readonly Generated[] {
  const folders: Readonly<Record<string, Readonly<Record<string, VectorFile>>>> = {
    message: messageVectors,
    agreement: agreementVectors,
    credit: creditVectors,
    collision: collisionVectors,
  };
  return Object.entries(folders).flatMap(([name, files]) =>
    Object.entries(files).map(([verdict, file]) => {
      const path = `spec/vectors/session/${name}/${verdict}.json`;
      return { path, content: format(path, JSON.stringify(file)) };
    }),
  );
}
