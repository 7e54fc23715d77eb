import { Agent, request } from "node:http";

/** One request of a load: how it went, in the words that a test counts by. */
export type Outcome = { readonly ok: boolean; readonly what: string; readonly at: number };

export type LoadOptions = {
  readonly url: string;
  readonly body: () => string;
  /** Requests under way at once. Default 8. */
  readonly concurrency?: number;
  /** Says what is wrong with an answer; null when it is right. */
  readonly judge: (status: number, body: string) => string | null;
};

/** A constant load on one URL, over kept-alive connections, until it is stopped. */
export class Load implements AsyncDisposable {
  readonly outcomes: Outcome[] = [];
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  readonly #workers: Promise<void>[];
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const concurrency = options.concurrency ?? 8;
    this.#agent = new Agent({ keepAlive: true, maxSockets: concurrency });
    this.#workers = Array.from({ length: concurrency }, () => this.#work());
  }

  get failures(): Outcome[] {
    return this.outcomes.filter(({ ok }) => !ok);
  }

  /** Ends the load; every request that was begun is finished and counted. */
  async stop(): Promise<Outcome[]> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return this.outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      const what = await this.#once();
      this.outcomes.push({ ok: what === null, what: what ?? "ok", at: performance.now() });
      if (what !== null) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #once(): Promise<string | null> {
    const { url, body, judge } = this.#options;
    return new Promise((resolve) => {
      const call = request(
        url,
        {
          method: "POST",
          agent: this.#agent,
          headers: { "content-type": "application/json" },
          timeout: 20_000,
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("end", () => resolve(judge(response.statusCode ?? 0, text)));
          response.on("error", (error) => resolve(error.message));
        },
      );
      call.on("timeout", () => call.destroy(new Error("timed out")));
      call.on("error", (error) => resolve(error.message));
      call.end(body());
    });
  }
}
