// Finds promises that nobody awaits, by the compiler's own types: statements whose value is one, and functions that
// return one to a caller who expects nothing, such as a timer or an emitter. Biome's rules for it do not see the types
// of Node's modules (`writeFile(...)` as a statement passes, and so does `setTimeout(async …)`), and what is lost there
// is lost silently.
import { join, relative } from "node:path";
import {
  type ArrowFunction,
  type CallExpression,
  type FunctionExpression,
  isArrowFunction,
  isBinaryExpression,
  isCallExpression,
  isExpressionStatement,
  isFunctionExpression,
  isIdentifier,
  isNewExpression,
  isPropertyAccessExpression,
  type NewExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API, type Checker, SignatureKind, type Type, TypeFlags } from "typescript/unstable/sync";
import { type Fault, report } from "./fault.ts";

/** The promises of node:test end with the test run itself. */
const testFunctions = new Set(["test", "it", "suite", "describe"]);

/** The places in the project's own sources where a promise is neither awaited nor handled. */
export function promiseFaults(root: string, configFile = join(root, "tsconfig.json")): Fault[] {
  const api = new API({ cwd: root });
  try {
    using snapshot = api.updateSnapshot({ openProjects: [configFile] });
    const project = snapshot.getProject(configFile);
    if (project === undefined) return [{ path: configFile, message: "is no TypeScript project" }];
    return project.rootFiles.flatMap((name) => {
      const file = project.program.getSourceFile(name);
      if (file === undefined) return [];
      const lost = [...lostStatements(file, project.checker), ...lostReturns(file, project.checker)];
      const path = relative(root, file.fileName);
      return lost
        .sort((one, other) => one.node.pos - other.node.pos)
        .map(({ node, message }) => {
          return { path, line: file.text.slice(0, node.getStart(file)).split("\n").length, message };
        });
    });
  } finally {
    api.close();
  }
}

type Lost = { readonly node: Node; readonly message: string };

function lostStatements(file: SourceFile, checker: Checker): Lost[] {
  const statements = nodesIn(file, isExpressionStatement).filter(({ expression }) => !isHandled(expression));
  const types = checker.getTypeAtLocation(statements.map(({ expression }) => expression));
  return statements.flatMap((node, index) => {
    const type = types[index];
    if (type === undefined || !isPromise(type, checker)) return [];
    return [{ node, message: "a promise that nobody awaits" }];
  });
}

/** Functions that return a promise where nothing is expected of them. */
function lostReturns(file: SourceFile, checker: Checker): Lost[] {
  const functions = [
    ...nodesIn(file, isFunction).filter((each) => !(isArrowFunction(each) && isHandled(each.body))),
    ...nodesIn(file, isCall).flatMap((call) => (call.arguments ?? []).filter(isName)),
  ];
  const types = checker.getTypeAtLocation(functions);
  return functions.flatMap((node, index) => {
    const type = types[index];
    if (type === undefined || !returnsOf(type, checker).some((each) => isPromise(each, checker))) return [];
    const expected = checker.getContextualType(node);
    const wanted = expected === undefined ? [] : returnsOf(expected, checker);
    const none = isListener(node) ? TypeFlags.Void | TypeFlags.Any : TypeFlags.Void;
    const nothing = wanted.length > 0 && wanted.every(({ flags }) => (flags & none) !== 0);
    return nothing ? [{ node, message: "a promise that is returned to a caller who expects nothing" }] : [];
  });
}

/** What a function of a type may return, null and undefined in its place aside. */
function returnsOf(type: Type, checker: Checker): Type[] {
  // Asked for the members of some unions with tuples in them, the compiler's interface ends: what has no call is left.
  const present = checker.getNonNullableType(type) ?? type;
  const signatures = checker.getSignaturesOfType(present, SignatureKind.Call);
  return signatures.flatMap((signature) => checker.getReturnTypeOfSignature(signature) ?? []);
}

function nodesIn<Kind extends Node>(root: Node, is: (node: Node) => node is Kind): Kind[] {
  const found: Kind[] = [];
  const visit = (child: Node): void => {
    if (is(child)) found.push(child);
    child.forEachChild(visit);
  };
  root.forEachChild(visit);
  return found;
}

function isFunction(node: Node): node is ArrowFunction | FunctionExpression {
  return isArrowFunction(node) || isFunctionExpression(node);
}

function isCall(node: Node): node is CallExpression | NewExpression {
  return isCallExpression(node) || isNewExpression(node);
}

/** An event target ignores what its listeners return; Node's types call it `any`. */
function isListener({ parent }: Node): boolean {
  return (
    isCallExpression(parent) &&
    isPropertyAccessExpression(parent.expression) &&
    parent.expression.name.text === "addEventListener"
  );
}

function isName(node: Node): boolean {
  return isIdentifier(node) || isPropertyAccessExpression(node);
}

function isPromise(type: Type, checker: Checker): boolean {
  if (type.isUnionType()) return type.getTypes().some((member) => isPromise(member, checker));
  return checker.getPropertyOfType(type, "then") !== undefined;
}

/** Whether it is an assignment, a call of node:test, or ends in `.catch(…)` or `.then(…, …)`. */
function isHandled(expression: Node): boolean {
  if (isBinaryExpression(expression)) return isAssignment(expression.operatorToken.kind);
  if (!isCallExpression(expression)) return false;
  const { expression: callee, arguments: given }: CallExpression = expression;
  if (isIdentifier(callee)) return testFunctions.has(callee.text);
  if (!isPropertyAccessExpression(callee)) return false;
  const method = callee.name.text;
  if (method === "finally") return isHandled(callee.expression);
  return (method === "catch" && given.length > 0) || (method === "then" && given.length > 1);
}

function isAssignment(operator: SyntaxKind): boolean {
  return operator >= SyntaxKind.FirstAssignment && operator <= SyntaxKind.LastAssignment;
}

if (import.meta.main) report(promiseFaults(join(import.meta.dirname, "..", "..")));
