/** Where a value of some kind that begins at `at` ends in JSON in UTF-8; -1 when no such value begins there. */
export type Scan = (json: Uint8Array, at: number) => number;

const [quote, backslash, comma, minus, dot, zero, nine] = [0x22, 0x5c, 0x2c, 0x2d, 0x2e, 0x30, 0x39];
const [openBracket, closeBracket, openBrace, closeBrace, letterU] = [0x5b, 0x5d, 0x7b, 0x7d, 0x75];

/** A text as it must stand in JSON. */
export function wordOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const escapes = wordOf('"\\/bfnrt');
const hexadecimal = wordOf("0123456789abcdefABCDEF");
const [yes, no, nothing] = [wordOf("true"), wordOf("false"), wordOf("null")];

/** What must stand there as it is. */
export function scanWord(json: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 0; index < word.length; index++) {
    if (json[at + index] !== word[index]) return -1;
  }
  return at + word.length;
}

/** RFC 8259, section 7. */
export const scanString: Scan = (json, at) => {
  if (json[at] !== quote) return -1;
  for (let index = at + 1; ; index++) {
    const code = json[index];
    if (code === quote) return index + 1;
    if (code === undefined || code < 0x20) return -1;
    if (code === backslash) {
      index = scanEscape(json, index + 1) - 1;
      if (index < 0) return -1;
    }
  }
};

function scanEscape(json: Uint8Array, at: number): number {
  const code = json[at] ?? 0;
  if (code !== letterU) return escapes.includes(code) ? at + 1 : -1;
  for (let index = at + 1; index < at + 5; index++) if (!hexadecimal.includes(json[index] ?? 0)) return -1;
  return at + 5;
}

/** A number without an exponent (RFC 8259, section 6). */
export const scanDecimal: Scan = (json, at) => {
  const whole = scanWhole(json, at);
  if (whole < 0 || json[whole] !== dot) return whole;
  const end = scanDigits(json, whole + 1);
  return end === whole + 1 ? -1 : end;
};

/** A whole number of at most nine digits: one that GraphQL's Int holds whatever they are. */
export const scanInt: Scan = (json, at) => {
  const end = scanWhole(json, at);
  return end - at > (json[at] === minus ? 10 : 9) ? -1 : end;
};

export const scanBoolean: Scan = (json, at) => {
  const end = scanWord(json, at, yes);
  return end < 0 ? scanWord(json, at, no) : end;
};

/** Null, or what the other scan finds. */
export function orNull(scan: Scan): Scan {
  return (json, at) => {
    const end = scan(json, at);
    return end < 0 ? scanWord(json, at, nothing) : end;
  };
}

export function scanList(element: Scan): Scan {
  return (json, at) => {
    if (json[at] !== openBracket) return -1;
    if (json[at + 1] === closeBracket) return at + 2;
    for (let index = at + 1; ; index++) {
      index = element(json, index);
      if (index < 0) return -1;
      const code = json[index];
      if (code === closeBracket) return index + 1;
      if (code !== comma) return -1;
    }
  };
}

/** An object of just these fields, in this order, without white space. */
export function scanObject(fields: readonly { readonly key: string; readonly scan: Scan }[]): Scan {
  const parts = fields.map(({ key, scan }, index) => ({
    head: wordOf(`${index === 0 ? "{" : ","}${JSON.stringify(key)}:`),
    scan,
  }));
  return (json, at) => {
    let index = at;
    for (const { head, scan } of parts) {
      index = scanWord(json, index, head);
      if (index < 0) return -1;
      index = scan(json, index);
      if (index < 0) return -1;
    }
    return json[index] === closeBrace ? index + 1 : -1;
  };
}

/**
 * Any value: where it ends if it is JSON. What it holds is not looked at but for brackets, so that only parsing what
 * was found tells.
 */
export const scanValue: Scan = (json, at) => {
  let depth = 0;
  for (let index = at; index < json.length; ) {
    const code = json[index];
    if (code === quote) {
      index = scanString(json, index);
      if (index < 0) return -1;
      if (depth === 0) return index;
      continue;
    }
    if (code === openBrace || code === openBracket) depth += 1;
    else if (code === closeBrace || code === closeBracket) {
      depth -= 1;
      if (depth < 0) return index > at ? index : -1;
      if (depth === 0) return index + 1;
    } else if (depth === 0 && code === comma) return index > at ? index : -1;
    index += 1;
  }
  return -1;
};

function scanWhole(json: Uint8Array, at: number): number {
  const first = json[at] === minus ? at + 1 : at;
  if (json[first] === zero) return first + 1;
  const end = scanDigits(json, first);
  return end === first ? -1 : end;
}

function scanDigits(json: Uint8Array, at: number): number {
  let index = at;
  while (isDigit(json[index])) index += 1;
  return index;
}

function isDigit(code = 0): boolean {
  return code >= zero && code <= nine;
}
