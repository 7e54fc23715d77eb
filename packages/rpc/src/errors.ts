/**
 * Why a call between two processes of a node failed.
 *
 * | code | what to do |
 * |---|---|
 * | `unreachable` | nobody listens on the socket: start the process, or correct the data directory |
 * | `socket_in_use` | another process listens there already: stop it first |
 * | `disconnected` | the process went away during the call: try again |
 * | `timeout` | the process did not answer in time: look at its log |
 * | `version_unsupported` | the two processes come from releases that share no interface version: update the older one |
 * | `invalid_request` | the caller sent what the interface does not allow: the message names the field |
 * | `invalid_response` | the callee answered what the interface does not allow: update the older process |
 * | `internal` | the callee failed: its log has the cause |
 * | `service_not_found` | no service has that name: `catalyst service list` shows those there are |
 * | `service_declared` | the service comes from the node's configuration: change it there |
 * | `service_name_taken` | the name was given with `catalyst service add`: remove it there, or choose another name |
 * | `service_leased` | a live service holds the name, the message says which and for how long: stop it, wait, or choose another name |
 * | `lease_unknown` | the lease has ended: register again |
 * | `draining` | the process is shutting down: try again when it is back |
 * | `update_stale` | a newer update has been applied already: send the current one |
 * | `object_not_found` | there is no such object, name or manifest here: `holo cam ls` shows what there is |
 * | `object_incomplete` | not all of the bytes asked for have come yet: ask for others, or wait |
 * | `object_damaged` | bytes on the disk are not the object's, the message names them: `holo cam repair`, or put it again |
 * | `content_mismatch` | the bytes are others than was expected: nothing was kept |
 * | `quota_exceeded` | the namespace may hold no more: unpin and unlink, then `holo cam gc`; or raise its quota |
 * | `disk_full` | free space on the disk of the store, or collect garbage: what was stored before is unharmed |
 * | `too_few_devices` | name as many folders in `content.devices` as the placement has shards, or ask for fewer |
 * | `range_invalid` | ask for bytes that the object has |
 * | `store_failed` | the store could not do it: the message has its code and what to do |
 * | `evidence_failed` | the receipt could not be signed or written, the message says why: what it was for may have been done; mend it and ask again |
 * | `busy` | as much runs as may at once: wait for some of it to end |
 * | `job_unknown` | no job has this number, or it ended long ago |
 * | `api_key_unknown` | no API key has this id or name: `catalyst apikey list` shows those there are |
 * | `api_key_name_taken` | a key that is still good has this name: revoke it, or choose another name |
 * | `api_keys_full` | as many API keys as may be have not expired yet, revoked ones among them: wait for some to expire, and give new ones less time |
 * | `ttl_too_long` | the credential would live longer than the node allows, the message says how long: ask for less, or raise the limit |
 * | `keys_failed` | the keys that sign credentials could not be read, made or kept: the message has the reason |
 * | `key_too_new` | the next key was published a moment ago and not everybody has it yet: the message says from when on it may sign, ask again then |
 * | `authority_not_served` | no other node can reach this one's root authority: give `auth.authority.listen` |
 * | `authority_elsewhere` | this node has joined an organisation: ask its root authority, the message says where that is |
 * | `authority_unreachable` | the root authority does not answer, the message says why: start it, or correct the network; the node goes on until its certificates expire |
 * | `enrolment_refused` | the root authority refused, the message says why and what to do |
 * | `node_name_taken` | there is a node of this name: choose another name, or revoke that one first |
 * | `join_token_unknown` | no join token has this id or node, or it has expired: `catalyst token list` shows those there are |
 * | `join_token_used` | a node has joined with the token: revoke the node, if it should not have |
 * | `node_unknown` | no good certificate of it was issued: `catalyst identity show` lists those there are |
 * | `peers_not_served` | this node cannot invite, or be a peer of others: the message says what it lacks |
 * | `peer_unknown` | no peer of that name was invited: `catalyst peer list` shows those there are |
 * | `peer_configured` | the peer comes from the node's configuration: take it out of `mesh.peers` there |
 * | `peer_unreachable` | whoever made the invitation does not answer, the message says why: start it, or correct the address and invite anew |
 * | `invitation_refused` | nobody became a peer: the message says why, what to do, and the code of spec/invitation.md §6 |
 * | `invitation_unknown` | no invitation has this id, or it was over long ago: `catalyst peer invitation list` shows those there are |
 * | `generation_unknown` | no schema of this number is kept, the message says which are: `catalyst gateway history` |
 * | `coordinate_unknown` | the schema in force has no such type or field: `catalyst gateway schema` shows it |
 * | `composition_failed` | the schemas take too long or too much memory to compose or to compare, the message says which: make them smaller |
 * | `not_explainable` | the process knows nothing of what was asked: the message names what it can explain |
 */
export type RpcErrorCode =
  | "unreachable"
  | "socket_in_use"
  | "disconnected"
  | "timeout"
  | "version_unsupported"
  | "invalid_request"
  | "invalid_response"
  | "internal"
  | "service_not_found"
  | "service_declared"
  | "service_name_taken"
  | "service_leased"
  | "lease_unknown"
  | "draining"
  | "update_stale"
  | "object_not_found"
  | "object_incomplete"
  | "object_damaged"
  | "content_mismatch"
  | "quota_exceeded"
  | "disk_full"
  | "too_few_devices"
  | "range_invalid"
  | "store_failed"
  | "evidence_failed"
  | "busy"
  | "job_unknown"
  | "api_key_unknown"
  | "api_key_name_taken"
  | "api_keys_full"
  | "ttl_too_long"
  | "keys_failed"
  | "key_too_new"
  | "authority_not_served"
  | "authority_elsewhere"
  | "authority_unreachable"
  | "enrolment_refused"
  | "node_name_taken"
  | "join_token_unknown"
  | "join_token_used"
  | "node_unknown"
  | "peers_not_served"
  | "peer_unknown"
  | "peer_configured"
  | "peer_unreachable"
  | "invitation_refused"
  | "invitation_unknown"
  | "generation_unknown"
  | "coordinate_unknown"
  | "composition_failed"
  | "not_explainable";

/** The one error of this package; it crosses the socket with its code and message. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
