/** Why a joiner, or a node that renews, is given nothing: spec/enrolment.md §8. */
export type EnrolmentRefusalCode =
  | "token_unknown"
  | "token_expired"
  | "token_used"
  | "token_revoked"
  | "proof_wrong"
  | "request_malformed"
  | "peer_refused";

const texts: Readonly<Record<EnrolmentRefusalCode, string>> = {
  token_unknown: "no such join token is known here: make one with `catalyst token create` at this root",
  token_expired: "the join token has expired: make a new one with `catalyst token create` at the root",
  token_used: "the join token has been used: if that was not you, revoke the node, and make a new token",
  token_revoked: "the join token was taken back: ask for a new one at the root",
  proof_wrong:
    "the proof is not that of the join token on this connection: copy the token whole, and connect directly",
  request_malformed: "the requests for certificates cannot be used: make them anew",
  peer_refused: "the certificate of the node is not admitted: join again with a new token",
};

/** A wish that is refused. The text is for whoever asked; it tells no secret. */
export class EnrolmentRefusal extends Error {
  override readonly name = "EnrolmentRefusal";
  readonly code: EnrolmentRefusalCode;

  constructor(code: EnrolmentRefusalCode, detail?: string) {
    super(detail === undefined ? texts[code] : `${texts[code]} (${detail})`);
    this.code = code;
  }
}
