/** One process's metrics in the Prometheus text format. */
export type Exposition = { readonly process: string; readonly text: string };

type Family = { comments: string[]; samples: string[] };

/**
 * Puts the metrics of several processes into one exposition (Prometheus text format 0.0.4): every sample gets a
 * label `process`, unless it has one, and the samples of a family stand together, as the format asks for.
 */
export function mergeExpositions(expositions: readonly Exposition[]): string {
  const families = new Map<string, Family>();
  for (const { process, text } of expositions) {
    let current = "";
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const comment = /^# (HELP|TYPE) ([^\s]+)/.exec(line);
      if (comment !== null) {
        current = comment[2] ?? "";
        const family = familyOf(families, current);
        const repeated = family.comments.some((known) => known.startsWith(`# ${comment[1]} `));
        if (!repeated) family.comments.push(line);
        continue;
      }
      if (line.startsWith("#")) continue;
      const name = /^[^\s{]+/.exec(line)?.[0] ?? "";
      const belongs = current !== "" && (name === current || suffixes.some((end) => name === current + end));
      familyOf(families, belongs ? current : name).samples.push(labelled(line, process));
    }
  }
  const blocks = [...families.values()].map(({ comments, samples }) => [...comments, ...samples].join("\n"));
  return `${blocks.join("\n")}\n`;
}

const suffixes = ["_bucket", "_sum", "_count", "_total", "_created"];

function familyOf(families: Map<string, Family>, name: string): Family {
  const known = families.get(name);
  if (known !== undefined) return known;
  const made = { comments: [], samples: [] };
  families.set(name, made);
  return made;
}

function labelled(line: string, process: string): string {
  const brace = line.indexOf("{");
  const space = line.indexOf(" ");
  if (brace !== -1 && brace < space) {
    const rest = line.slice(brace + 1);
    if (/(^|,)process="/.test(rest.slice(0, rest.lastIndexOf("}")))) return line;
    return `${line.slice(0, brace)}{process="${process}"${rest.startsWith("}") ? "" : ","}${rest}`;
  }
  return `${line.slice(0, space)}{process="${process}"}${line.slice(space)}`;
}
