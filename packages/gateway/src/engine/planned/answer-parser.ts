import { isUtf8 } from "node:buffer";
import { parseJson } from "../../upstream/answer.ts";
import { JsonText } from "../json-text.ts";
import { type Scan, scanValue, scanWord, wordOf } from "./json-scan.ts";

/** How a value of a service's answer is read. */
export type Reading =
  /** As it is, when the scan finds what it must be: it is not parsed, and goes to the client as text. */
  | { readonly kind: "passage"; readonly scan: Scan }
  | { readonly kind: "list"; readonly element: Reading }
  /** Objects with passages below these fields. */
  | { readonly kind: "object"; readonly fields: readonly FieldReading[] }
  | { readonly kind: "value" };

export type FieldReading = {
  readonly key: string;
  /** The key as it is written, up to its value. */
  readonly word: Uint8Array;
  readonly reading: Reading;
};

/** Parses an answer; undefined when it is no JSON. */
export type AnswerParse = (body: Buffer) => unknown;

export const asValue: Reading = { kind: "value" };

/**
 * Parses an answer whose `data` is read in this way, passages as {@link JsonText}. Answers with errors, or that are
 * not what they should be somewhere, are parsed as a whole: what is right in them is found out with more care.
 */
export function answerParser(data: Reading): AnswerParse {
  return (body) => {
    // What is no UTF-8 is mended when it is parsed.
    const answer = isUtf8(body) ? new Reader(body).answer(data) : null;
    return answer ?? parseJson(body);
  };
}

/** Thrown where an answer is not what it should be: made once, for its stack is of no use. */
const unexpected = new Error("the answer is not as it was asked for");

const [before, after, whiteSpace] = [wordOf('{"data":'), wordOf("}"), wordOf(" \t\r\n")];

class Reader {
  readonly #json: Buffer;
  #at = 0;

  constructor(json: Buffer) {
    this.#json = json;
  }

  /** Null when it is to be parsed as a whole. */
  answer(data: Reading): { data: unknown } | null {
    try {
      this.#move(scanWord(this.#json, 0, before));
      const answer = { data: this.#read(data) };
      this.#move(scanWord(this.#json, this.#at, after));
      // Writers end with a line's end, if with anything.
      return this.#json.subarray(this.#at).every((code) => whiteSpace.includes(code)) ? answer : null;
    } catch {
      return null;
    }
  }

  #read(reading: Reading): unknown {
    switch (reading.kind) {
      case "passage":
        return new JsonText([this.#take(reading.scan)]);
      case "list":
        return this.#is("[") ? this.#list(reading.element) : this.#value();
      case "object":
        return this.#is("{") ? this.#object(reading.fields) : this.#value();
      case "value":
        return this.#value();
    }
  }

  #list(element: Reading): unknown[] {
    const values: unknown[] = [];
    this.#at += 1;
    if (this.#is("]")) this.#at += 1;
    else {
      do values.push(this.#read(element));
      while (this.#goesOn("]"));
    }
    return values;
  }

  #object(fields: readonly FieldReading[]): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at += 1;
    if (this.#is("}")) this.#at += 1;
    else {
      let place = 0;
      do {
        place = this.#field(fields, place);
        const { key, reading } = fields[place] as FieldReading;
        object[key] = this.#read(reading);
        place += 1;
      } while (this.#goesOn("}"));
    }
    return object;
  }

  /** Moves past a field's key; which it is. It should be the one that was asked for in this place. */
  #field(fields: readonly FieldReading[], place: number): number {
    for (let tries = 0; tries < fields.length; tries++) {
      const index = (place + tries) % fields.length;
      const end = scanWord(this.#json, this.#at, (fields[index] as FieldReading).word);
      if (end < 0) continue;
      this.#at = end;
      return index;
    }
    throw unexpected;
  }

  #value(): unknown {
    return JSON.parse(this.#take(scanValue).toString());
  }

  #take(scan: Scan): Buffer {
    const from = this.#at;
    this.#move(scan(this.#json, from));
    return this.#json.subarray(from, this.#at);
  }

  /** Past a comma; or, with false, past the end. */
  #goesOn(end: "]" | "}"): boolean {
    const ends = this.#is(end);
    if (!ends && !this.#is(",")) throw unexpected;
    this.#at += 1;
    return !ends;
  }

  #is(character: string): boolean {
    return this.#json[this.#at] === character.charCodeAt(0);
  }

  #move(to: number): void {
    if (to < 0) throw unexpected;
    this.#at = to;
  }
}
