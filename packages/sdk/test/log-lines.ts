import { Writable } from "node:stream";

export type Line = Readonly<Record<string, unknown>>;

/** Takes what a logger writes, one JSON object per line. */
export class LogLines extends Writable {
  readonly all: Line[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (const line of chunk.toString("utf8").split("\n")) if (line !== "") this.all.push(JSON.parse(line));
    done();
  }

  find(message: string): Line | undefined {
    return this.all.find(({ msg }) => msg === message);
  }

  withLevel(level: string): Line[] {
    return this.all.filter((line) => line["level"] === level);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
