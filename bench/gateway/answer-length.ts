const headEnd = "\r\n\r\n";

/**
 * Reads answers of HTTP/1.1 off one connection and counts the bytes of their bodies; keeps none of them, so that a
 * load costs the machine little beside what it is put on.
 */
export class AnswerLength {
  readonly #done: (status: number, bodyBytes: number) => void;
  /** What is not understood yet: a part of a head, or of a line with the size of a chunk. */
  #rest = "";
  #state: "head" | "body" | "size" | "chunk" | "trailer" = "head";
  #status = 0;
  #bodyBytes = 0;
  /** Bytes of the body, or of the chunk with the line end behind it, that are still to come. */
  #missing = 0;

  /** Calls `done` after each answer. */
  constructor(done: (status: number, bodyBytes: number) => void) {
    this.#done = done;
  }

  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === "body" || this.#state === "chunk") {
        const taken = Math.min(this.#missing, bytes.length - at);
        at += taken;
        this.#missing -= taken;
        if (this.#missing > 0) return;
        if (this.#state === "body") this.#finish();
        else this.#state = "size";
      } else {
        const end = this.#state === "head" ? headEnd : "\r\n";
        const before = this.#rest.length;
        // A head and a line are short: what is taken in vain is taken once more at the most.
        this.#rest += bytes.toString("latin1", at, at + 4_096);
        const found = this.#rest.indexOf(end);
        if (found === -1) {
          at += this.#rest.length - before;
          continue;
        }
        at += found + end.length - before;
        const text = this.#rest.slice(0, found);
        this.#rest = "";
        this.#take(text);
      }
    }
  }

  #take(text: string): void {
    if (this.#state === "head") this.#takeHead(text);
    else if (this.#state === "size") this.#takeSize(text);
    else if (text === "") this.#finish();
  }

  #takeSize(text: string): void {
    const size = Number.parseInt(text, 16);
    this.#bodyBytes += size;
    this.#missing = size + 2;
    this.#state = size === 0 ? "trailer" : "chunk";
  }

  #takeHead(head: string): void {
    this.#status = Number(head.slice(9, 12));
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = "size";
    else {
      this.#bodyBytes = this.#missing = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      this.#state = "body";
      if (this.#missing === 0) this.#finish();
    }
  }

  #finish(): void {
    const bodyBytes = this.#bodyBytes;
    this.#state = "head";
    this.#bodyBytes = 0;
    this.#done(this.#status, bodyBytes);
  }
}
