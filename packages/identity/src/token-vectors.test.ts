import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readTokenIssuer, type TokenKind, type TokenRefusal, verifyToken } from "@catalyst/identity";

type Case = {
  readonly name: string;
  readonly now: number;
  readonly revoked?: string[];
  readonly token: string;
  readonly certificate?: string;
};
type Vectors<Expected> = {
  readonly issuers: {
    kind: TokenKind;
    issuer: string;
    audience: string;
    maxLifetimeMs: number;
    keys: unknown[];
  }[];
  readonly vectors: readonly (Case & Expected)[];
};

function read<Expected>(file: string) {
  const path = join(import.meta.dirname, "../../../spec/vectors/token", file);
  const { issuers, vectors } = JSON.parse(readFileSync(path, "utf8")) as Vectors<Expected>;
  const believed = issuers.map(({ keys, ...told }) =>
    readTokenIssuer({ ...told, jwks: JSON.stringify({ keys }) }),
  );
  const verify = ({ token, now, revoked = [], certificate }: Case) => {
    const isRevoked = (jti: string) => revoked.includes(jti);
    return verifyToken(token, { issuers: believed, now: now * 1_000, isRevoked, certificate });
  };
  return { vectors, verify };
}

const good = read<{ kind: TokenKind; claims: object }>("good.json");
for (const each of good.vectors) {
  test(`good: ${each.name}`, () => {
    assert.deepEqual(good.verify(each), { kind: each.kind, claims: each.claims });
  });
}

const bad = read<{ code: TokenRefusal }>("bad.json");
for (const each of bad.vectors) {
  test(`refused as ${each.code}: ${each.name}`, () => {
    assert.deepEqual(bad.verify(each), { kind: "refused", code: each.code });
  });
}
