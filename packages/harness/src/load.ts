import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** One request of a load: how it went, in the words that a test counts by. */
export type Outcome = {
  readonly ok: boolean;
  readonly what: string;
  /** When it was over, by `performance.now()`. */
  readonly at: number;
  /** How long it took, in ms. */
  readonly tookMs: number;
};

export type LoadOptions = {
  readonly url: string;
  /** What is posted; without it nothing is sent, by GET. */
  readonly body?: () => string;
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Requests under way at once. Default 8. */
  readonly concurrency?: number;
  /** How long each of them waits before the next one, in ms. Default 0. */
  readonly pauseMs?: number;
  /** A connection for each request, in place of few that are kept. */
  readonly anew?: boolean;
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
    this.#agent = new Agent({ keepAlive: options.anew !== true, maxSockets: concurrency });
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
      const begun = performance.now();
      const what = await this.#once();
      const at = performance.now();
      this.outcomes.push({ ok: what === null, what: what ?? "ok", at, tookMs: at - begun });
      const { pauseMs = 0 } = this.#options;
      const waitMs = what === null ? pauseMs : Math.max(5, pauseMs);
      if (waitMs > 0) await sleep(waitMs);
    }
  }

  #once(): Promise<string | null> {
    const { url, body, headers, judge } = this.#options;
    return new Promise((resolve) => {
      const call = request(
        url,
        {
          method: body === undefined ? "GET" : "POST",
          agent: this.#agent,
          headers: {
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers?.(),
          },
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
      const where = () => (call.reusedSocket ? "" : "new connection: ");
      call.on("error", (error) => resolve(`${where()}${error.message}`));
      call.end(body?.());
    });
  }
}
