import { type AnswerCode, ownExtensions } from "../../errors.ts";
import type { FieldOwners } from "../field-owners.ts";
import { JsonText, toJsonText } from "../json-text.ts";
import { type DataObject, isObject } from "./data.ts";
import { FieldFailure, type Loss } from "./field-failure.ts";
import type { ObjectSelection, Output, SelectedField } from "./selection.ts";
import type { SubError } from "./sub-answer.ts";

/** An error of an answer (GraphQL, "Errors"). */
export type AnswerError = SubError & { readonly path?: readonly (string | number)[] };

type Felt = {
  readonly error: SubError;
  readonly object: string;
  readonly path: readonly (string | number)[];
};

/** Errors of one answer: each costs its reader time. */
const maxErrors = 200;

/** A value is missing that must not be: what holds it is null in its place. */
const missing = Symbol("missing");

/**
 * Makes a client's answer out of the data of services: its fields alone, in its order, every value of the type that
 * the schema says (GraphQL, "Value Completion"), nulls carried up to where they may stand ("Handling Field Errors").
 */
export class Completion {
  readonly #owners: FieldOwners;
  readonly #introspection: Readonly<Record<string, unknown>>;
  readonly #path: (string | number)[] = [];
  readonly #errors: AnswerError[] = [];
  /** Of each error, the last object that it was told in where it happened. */
  readonly #told = new Map<SubError, string>();
  /** Errors that took a field of an object along, and were not told in that object so far. */
  #felt: readonly Felt[] = [];
  #more = 0;
  #hasPassages = false;

  constructor(owners: FieldOwners, introspection: Readonly<Record<string, unknown>>) {
    this.#owners = owners;
    this.#introspection = introspection;
  }

  /** The answer's `data`; as JSON when parts of it are that already. */
  complete(selection: ObjectSelection, data: DataObject): DataObject | JsonText | null {
    const completed = this.#object(selection, data);
    if (completed === missing) return null;
    return this.#hasPassages ? toJsonText(completed) : completed;
  }

  add(error: SubError, path: readonly (string | number)[]): void {
    if (this.#errors.length >= maxErrors) this.#more += 1;
    else this.#errors.push(path.length === 0 ? error : { ...error, path });
  }

  errors(): readonly AnswerError[] {
    for (const { error, path } of this.#felt) this.add(error, path);
    if (this.#more === 0) return this.#errors;
    const code: AnswerCode = "ERRORS_LEFT_OUT";
    return [...this.#errors, { message: `The answer has ${this.#more} more errors.`, extensions: { code } }];
  }

  #lose({ error, below, elsewhere }: Loss, output: Output): void {
    const rest = clientPath(output, below);
    const path = [...this.#path, ...rest];
    const object = JSON.stringify(this.#path.slice(0, -1));
    const here = (felt: Felt) => felt.error === error && felt.object === object;
    // Fields of one source may have several names, and not all of them select what failed.
    if (elsewhere === true || rest.length < below.length) {
      const known = this.#told.get(error) === object || this.#felt.some(here);
      if (!known) this.#felt = [...this.#felt, { error, object, path }];
      return;
    }
    this.#felt = this.#felt.filter((felt) => !here(felt));
    this.#told.set(error, object);
    this.add(error, path);
  }

  #object({ typeName, fields }: ObjectSelection, source: DataObject): DataObject | typeof missing {
    const answer: DataObject = {};
    let lost = false;
    for (const field of fields) {
      const value = this.#field(field, typeName, source);
      if (value === missing) lost = true;
      if (lost) {
        // Read on only to tell errors that were felt here where they happened.
        if (this.#felt.length === 0) return missing;
      } else if (field.key === "__proto__") define(answer, value);
      else answer[field.key] = value;
    }
    return lost ? missing : answer;
  }

  #field(field: SelectedField, typeName: string, source: DataObject): unknown {
    const { output } = field;
    if (output.kind === "leaf") {
      const value = source[field.source];
      if (value !== null && value !== undefined) {
        const read = output.read(value);
        if (read !== undefined && !(value instanceof FieldFailure)) return read;
      }
    }
    if (output.kind === "typename") return typeName;
    if (output.kind === "introspection") return this.#introspection[field.key] ?? null;
    this.#path.push(field.key);
    const completed = this.#value(output, source[field.source], field, typeName);
    this.#path.pop();
    return completed;
  }

  #value(output: Output, value: unknown, field: SelectedField, typeName: string): unknown {
    if (value === null || value === undefined) {
      if (!output.nonNull) return null;
      this.#blame(field, typeName, `Cannot return null for non-nullable field ${typeName}.${field.name}.`);
      return missing;
    }
    if (value instanceof FieldFailure) {
      for (const loss of value.losses) this.#lose(loss, output);
      return output.nonNull ? missing : null;
    }
    if (value instanceof JsonText) {
      this.#hasPassages = true;
      return value;
    }
    const completed = this.#present(output, value, field, typeName);
    return completed === missing && !output.nonNull ? null : completed;
  }

  #present(output: Output, value: unknown, field: SelectedField, typeName: string): unknown {
    switch (output.kind) {
      case "leaf": {
        const read = output.read(value);
        if (read !== undefined && read !== null) return read;
        return this.#blame(field, typeName, `${typeName}.${field.name} cannot have such a value.`);
      }
      case "list":
        if (Array.isArray(value)) return this.#list(output.element, value, field, typeName);
        return this.#blame(field, typeName, `${typeName}.${field.name} must be a list.`);
      case "object":
        if (isObject(value)) return this.#object(output.selection, value);
        return this.#blame(field, typeName, `${typeName}.${field.name} must be an object.`);
      case "abstract": {
        if (!isObject(value)) {
          return this.#blame(field, typeName, `${typeName}.${field.name} must be an object.`);
        }
        const selection = output.byType.get(value["__typename"]);
        if (selection !== null) return this.#object(selection, value);
        if (this.#tellLost(output, value)) return missing;
        const problem = `${typeName}.${field.name} is no ${output.byType.typeName} that clients may see.`;
        return this.#blame(field, typeName, problem);
      }
      default:
        return missing;
    }
  }

  /** False when nothing was lost of an object: then nobody but its service is to blame for its type. */
  #tellLost(output: Output, value: DataObject): boolean {
    let lost = false;
    for (const [key, failure] of Object.entries(value)) {
      if (!(failure instanceof FieldFailure)) continue;
      lost = true;
      for (const loss of failure.losses) {
        this.#lose(loss.elsewhere === true ? loss : { ...loss, below: [key, ...loss.below] }, output);
      }
      if (this.#felt.length === 0) break;
    }
    return lost;
  }

  #list(element: Output, values: readonly unknown[], field: SelectedField, typeName: string): unknown {
    const answer: unknown[] = new Array(values.length);
    for (let index = 0; index < values.length; index++) {
      this.#path.push(index);
      const completed = this.#value(element, values[index], field, typeName);
      this.#path.pop();
      if (completed === missing) return missing;
      answer[index] = completed;
    }
    return answer;
  }

  /** Tells whose value it was that the schema does not allow. */
  #blame(field: SelectedField, typeName: string, problem: string): typeof missing {
    const owners = this.#owners.of(typeName, field.name);
    const subject = owners.map((name) => JSON.stringify(name)).join(" or ");
    const code: Uppercase<"service_bad_response"> = "SERVICE_BAD_RESPONSE";
    const message = `Service ${subject} answered with what its schema does not allow: ${problem}`;
    const named = owners.length === 1 ? { service: owners[0] } : { services: owners };
    this.add({ message, extensions: ownExtensions({ code, ...named }) }, [...this.#path]);
    return missing;
  }
}

/** A path below a value in the data of services with the keys that the client wrote, as far as those go. */
export function clientPath(output: Output, path: readonly (string | number)[]): readonly (string | number)[] {
  const [key, ...rest] = path;
  if (key === undefined) return path;
  if (typeof key === "number")
    return output.kind === "list" ? [key, ...clientPath(output.element, rest)] : [];
  const selections =
    output.kind === "object" ? [output.selection] : output.kind === "abstract" ? output.byType.all() : [];
  const field = selections.flatMap(({ fields }) => fields).find(({ source }) => source === key);
  return field === undefined ? [] : [field.key, ...clientPath(field.output, rest)];
}

/** An answer may have any key that a client writes; assigned, this one would change what the object is. */
function define(answer: DataObject, value: unknown): void {
  Object.defineProperty(answer, "__proto__", { value, enumerable: true, configurable: true, writable: true });
}
