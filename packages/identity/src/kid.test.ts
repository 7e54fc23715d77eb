import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStatementKey, statementKid, tokenKid } from "@catalyst/identity";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

test("the kid of a statement key is the thumbprint of RFC 9679, as its §6 has it", () => {
  const kid = statementKid({
    algorithm: "P-256",
    x: hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
    y: hex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
  });
  assert.equal(
    Buffer.from(kid, "base64url").toString("hex"),
    "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec",
  );
});

test("the kid of a token key is the thumbprint of RFC 7638, as RFC 8037 A.3 has it", () => {
  const key = parseStatementKey("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  assert.equal(tokenKid(key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
});

test("the kid of a P-256 token key hashes the members of RFC 7638 §3.2 in their order", () => {
  const x = new Uint8Array(32).fill(1);
  const y = new Uint8Array(32).fill(2);
  const text = `{"crv":"P-256","kty":"EC","x":"${b64(x)}","y":"${b64(y)}"}`;
  const digest = new Uint8Array(Buffer.from(tokenKid({ algorithm: "P-256", x, y }), "base64url"));
  return crypto.subtle.digest("SHA-256", Buffer.from(text)).then((expected) => {
    assert.deepEqual(digest, new Uint8Array(expected));
  });
});

function b64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
