import { hash } from "node:crypto";
import { TlsInspectorSchema } from "@catalyst/xds/api/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb";
import { packed } from "./message.ts";
import { type DeniedNode, envoyOf } from "./node-tls.ts";

/** Whom this node's Envoy has to do with, as far as its doors and ways out depend on that. */
export type NodeDoors = {
  /** Full names of nodes that have a door to themselves: their connections do not end when another node is revoked. */
  readonly known: readonly string[];
  readonly denied: readonly DeniedNode[];
};

/** Changes with who was revoked. */
export function revisionOf(denied: readonly DeniedNode[]): string {
  const all = denied.map((each) => `${envoyOf(each)} ${each.serial ?? "all"}`).sort();
  return hash("sha256", all.join("\n")).slice(0, 16);
}

/** The label of a node, and its organisation's domain. */
export function splitName(node: string): readonly [string, string] {
  const dot = node.indexOf(".");
  return [node.slice(0, dot), node.slice(dot + 1)];
}

/** Looks what a connection is for, and who says to open it. */
export const tlsInspector = {
  name: "envoy.filters.listener.tls_inspector",
  configType: { case: "typedConfig" as const, value: packed(TlsInspectorSchema, {}) },
};
