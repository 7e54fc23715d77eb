import type { Decision } from "@catalyst/rpc";
import {
  type ConstDirectiveNode,
  type FieldDefinitionNode,
  isTypeDefinitionNode,
  parse,
  type TypeDefinitionNode,
} from "graphql";
import { argumentOf, directivesOf, servicesOf } from "./join-directives.ts";

type Origin = Pick<Decision, "steps" | "result">;

/**
 * Which services serve a type or field, `Type` or `Type.field`, and why, as the supergraph tells; null when it has
 * none of that name. One step for each service that knows the type.
 */
export function originOf(supergraphSdl: string, coordinate: string): Origin | null {
  const [, typeName, fieldName] = /^(\w+)(?:\.(\w+))?$/.exec(coordinate) ?? [];
  const document = parse(supergraphSdl, { noLocation: true });
  const services = servicesOf(document);
  const type = document.definitions.filter(isTypeDefinitionNode).find(({ name }) => name.value === typeName);
  if (type === undefined || typeName?.startsWith("join__") || typeName?.startsWith("link__")) return null;
  const knowing = directivesOf(type, "join__type");
  if (fieldName === undefined) return originOfType(type, knowing, services);
  const fields: readonly FieldDefinitionNode[] =
    "fields" in type ? ((type.fields ?? []) as readonly FieldDefinitionNode[]) : [];
  const field = fields.find(({ name }) => name.value === fieldName);
  return field === undefined ? null : originOfField(field, knowing, services);
}

function originOfType(
  type: TypeDefinitionNode,
  knowing: readonly ConstDirectiveNode[],
  services: ReadonlyMap<string, string>,
): Origin {
  const names = [...new Set(knowing.map((directive) => serviceOf(directive, services)))];
  const steps = names.map((name) => {
    const own = knowing.filter((directive) => serviceOf(directive, services) === name);
    const keys = own.flatMap((directive) => argumentOf(directive, "key") ?? []);
    const how =
      keys.length === 0 ? "defines it" : `defines it, and finds its objects by ${keys.join(", or by ")}`;
    return { rule: name, outcome: how };
  });
  return { steps, result: `${names.join(", ")}${hidden(type)}` };
}

function originOfField(
  field: FieldDefinitionNode,
  knowing: readonly ConstDirectiveNode[],
  services: ReadonlyMap<string, string>,
): Origin {
  const rules = directivesOf(field, "join__field").filter((rule) => argumentOf(rule, "graph") !== undefined);
  const serving: string[] = [];
  const steps = [...new Set(knowing.map((directive) => serviceOf(directive, services)))].map((name) => {
    const rule = rules.find((each) => serviceOf(each, services) === name);
    const taker = rules.find((each) => argumentOf(each, "override") === name);
    const { serves, outcome } = roleOf(rule, rules.length === 0, taker && serviceOf(taker, services));
    if (serves) serving.push(name);
    return { rule: name, outcome };
  });
  return { steps, result: `${serving.join(", ")}${hidden(field)}` };
}

/** What one service is to a field; `shared` says that all who know the type serve it. */
function roleOf(
  rule: ConstDirectiveNode | undefined,
  shared: boolean,
  taker: string | undefined,
): { readonly serves: boolean; readonly outcome: string } {
  if (taker !== undefined) return { serves: false, outcome: `gave it up to ${taker} (@override)` };
  if (rule === undefined && !shared) return { serves: false, outcome: "knows the type, and not this field" };
  if (argumentOf(rule, "external") === "true")
    return { serves: false, outcome: "refers to it alone (@external)" };
  const details = (["requires", "provides", "override"] as const).flatMap((name) => {
    const value = argumentOf(rule, name);
    if (value === undefined) return [];
    if (name === "requires") return [`once it is given ${value} (@requires)`];
    return [name === "provides" ? `together with ${value} (@provides)` : `in place of ${value} (@override)`];
  });
  return { serves: true, outcome: ["serves it", ...details].join(", ") };
}

function hidden(node: TypeDefinitionNode | FieldDefinitionNode): string {
  return directivesOf(node, "inaccessible").length > 0 ? "; clients do not see it (@inaccessible)" : "";
}

function serviceOf(directive: ConstDirectiveNode, services: ReadonlyMap<string, string>): string {
  const graph = argumentOf(directive, "graph") ?? "";
  return services.get(graph) ?? graph;
}
