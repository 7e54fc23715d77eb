const mostTokenBytes = 16_384;

/** A token as it was given: as an argument, or for `-` on standard input, where no list of processes shows it. */
export async function readToken(given: string): Promise<string> {
  return (given === "-" ? await readAll(process.stdin) : given).trim();
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of input) {
    length += part.length;
    if (length > mostTokenBytes) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
