/**
 * Why a key could not be read, kept or used.
 *
 * | code | what to do |
 * |---|---|
 * | `key_malformed` | the bytes or text are no key in its one form: correct it where it came from |
 * | `key_weak` | a point of small order, under which anybody signs anything: refuse whoever sent it |
 * | `key_algorithm` | the key is of another kind than its use asks for: statements are signed with Ed25519 |
 * | `key_name` | a key's name is a DNS label: lower-case letters, digits and hyphens, at most 63 |
 * | `key_exists` | a key of that name is there: choose another name; a key is never overwritten |
 * | `key_not_found` | no key of that name is in the folder: `holo keys list` shows those that are |
 * | `key_damaged` | the file is no key, its two parts differ, or it is encrypted in another way than ours: restore it from a copy |
 * | `keys_in_use` | another process is adding a key to the folder: try again when it has ended |
 * | `keys_unreadable` | the message has the system's reason: check the path and its owner |
 * | `permissions_open` | others may read or change the file or folder: `chmod go-rwx` it, and consider the key known |
 * | `passphrase_missing` | the key is encrypted: give its passphrase |
 * | `passphrase_wrong` | the passphrase does not open the key |
 * | `token_invalid` | a token cannot say what it was asked to: the message names the claim |
 * | `request_malformed` | the certificate request is no PKCS #10 of a P-256 key that signed it: the message says what is wrong; make it anew |
 * | `certificate_unusable` | the message says what is wrong with the certificate: take it again from where it came |
 * | `join_token_malformed` | copy the token whole, or make a new one with `catalyst token create` at the root |
 * | `join_token_expired` | make a new token with `catalyst token create` at the root; if it should still be good, set the clocks |
 * | `invitation_malformed` | copy the invitation whole, or ask for a new one: `catalyst peer invite` at the peer |
 * | `message_malformed` | the other side sent what spec/enrolment.md or spec/invitation.md does not know: update the older one |
 * | `root_mismatch` | whoever answers at the address is not the root of the token: correct the address, and believe nobody in between |
 * | `identity_damaged` | a file of the node's identity cannot be read: the message names it; remove the folder and join again |
 * | `identity_taken` | the folder holds the identity of another node: give `--node-data-dir` another one |
 */
export type IdentityErrorCode =
  | "key_malformed"
  | "key_weak"
  | "key_algorithm"
  | "key_name"
  | "key_exists"
  | "key_not_found"
  | "key_damaged"
  | "keys_in_use"
  | "keys_unreadable"
  | "permissions_open"
  | "passphrase_missing"
  | "passphrase_wrong"
  | "token_invalid"
  | "request_malformed"
  | "certificate_unusable"
  | "join_token_malformed"
  | "join_token_expired"
  | "invitation_malformed"
  | "message_malformed"
  | "root_mismatch"
  | "identity_damaged"
  | "identity_taken";

/** What an error is about, as far as it is known. Never a secret. */
export type IdentityEvidence = {
  readonly path?: string;
  readonly name?: string;
};

/** The one error of this package. */
export class IdentityError extends Error {
  override readonly name = "IdentityError";
  readonly code: IdentityErrorCode;
  readonly evidence: IdentityEvidence;

  constructor(
    code: IdentityErrorCode,
    message: string,
    options: ErrorOptions & { evidence?: IdentityEvidence } = {},
  ) {
    super(message, options);
    this.code = code;
    this.evidence = options.evidence ?? {};
  }
}
