/**
 * Why a node does not start or stops.
 *
 * | code | what to do |
 * |---|---|
 * | `port_in_use` | free the port or choose another: the message names the option |
 * | `envoy_missing` | run the project's set-up, put Envoy on PATH, or name it with `--mesh-envoy-path` |
 * | `envoy_unusable` | the program named is no Envoy that runs here: the message has its output |
 * | `node_running` | another node uses the data directory: stop it or choose another one |
 * | `data_dir_unusable` | make the data directory writable and owned by the user that runs the node |
 * | `devices_overlap` | give each of `content.devices` a folder on a disk of its own, outside of the store's |
 * | `file_unreadable` | a file or folder that the configuration names is not there, or may not be read: the message names the option and the path |
 * | `certificate_invalid` | the message names the file and what is wrong with it |
 */
export type NodeErrorCode =
  | "port_in_use"
  | "envoy_missing"
  | "envoy_unusable"
  | "node_running"
  | "data_dir_unusable"
  | "devices_overlap"
  | "file_unreadable"
  | "certificate_invalid";

/** The one error of this package. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: NodeErrorCode;

  constructor(code: NodeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
