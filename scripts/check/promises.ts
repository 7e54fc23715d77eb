// Finds promises that nobody awaits, by the compiler's own types. Biome's rule for it does not see the types of
// Node's modules (`writeFile(...)` as a statement passes), and what is lost there is lost silently.
import { join, relative } from "node:path";
import {
  type CallExpression,
  type ExpressionStatement,
  isBinaryExpression,
  isCallExpression,
  isExpressionStatement,
  isIdentifier,
  isPropertyAccessExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API, type Checker, type Type } from "typescript/unstable/sync";
import { type Fault, report } from "./fault.ts";

/** The promises of node:test end with the test run itself. */
const testFunctions = new Set(["test", "it", "suite", "describe"]);

/** Statements in the project's own sources whose value is a promise that is neither awaited nor handled. */
export function promiseFaults(root: string, configFile = join(root, "tsconfig.json")): Fault[] {
  const api = new API({ cwd: root });
  try {
    using snapshot = api.updateSnapshot({ openProjects: [configFile] });
    const project = snapshot.getProject(configFile);
    if (project === undefined) return [{ path: configFile, message: "is no TypeScript project" }];
    return project.rootFiles.flatMap((name) => {
      const file = project.program.getSourceFile(name);
      return file === undefined ? [] : fileFaults(root, file, project.checker);
    });
  } finally {
    api.close();
  }
}

function fileFaults(root: string, file: SourceFile, checker: Checker): Fault[] {
  const statements = statementsIn(file).filter(({ expression }) => !isHandled(expression));
  const types = checker.getTypeAtLocation(statements.map(({ expression }) => expression));
  return statements.flatMap((statement, index) => {
    const type = types[index];
    if (type === undefined || !isPromise(type, checker)) return [];
    const line = file.text.slice(0, statement.getStart(file)).split("\n").length;
    return [{ path: relative(root, file.fileName), line, message: "a promise that nobody awaits" }];
  });
}

function statementsIn(node: Node): ExpressionStatement[] {
  const found: ExpressionStatement[] = [];
  const visit = (child: Node): void => {
    if (isExpressionStatement(child)) found.push(child);
    child.forEachChild(visit);
  };
  node.forEachChild(visit);
  return found;
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
