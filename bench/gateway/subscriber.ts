import { request } from "node:http";
import { createInterface } from "node:readline";
import { type Endpoint, path } from "./ask.ts";

/** A subscription of a client, over server-sent events. */
export type Subscriber = Disposable & {
  /** Events so far, and when the last of them came, by `performance.now()`. */
  events: number;
  lastEventAt: number;
  /** Why it is not a subscription that runs: it ended, or had an event with errors; null as long as it is. */
  failure: string | null;
};

/** Subscribes; what becomes of it is seen in the subscriber. */
export function subscribe({ port, headers }: Endpoint, query: string): Subscriber {
  const asked = request({
    ...{ host: "127.0.0.1", port, path, method: "POST", agent: false },
    headers: { ...headers, "content-type": "application/json", accept: "text/event-stream" },
  });
  const subscriber: Subscriber = {
    events: 0,
    lastEventAt: performance.now(),
    failure: null,
    [Symbol.dispose]: () => asked.destroy(),
  };
  const fail = (why: string) => {
    subscriber.failure ??= why;
  };
  asked.on("response", (response) => {
    if (response.statusCode !== 200) fail(`it was answered ${response.statusCode}`);
    response.on("close", () => fail("it was closed"));
    const lines = createInterface({ input: response });
    lines.on("error", (error: Error) => fail(error.message));
    lines.on("line", (line) => {
      if (!line.startsWith("data: {")) return;
      subscriber.events += 1;
      subscriber.lastEventAt = performance.now();
      if (line.includes('"errors"')) fail(line);
    });
  });
  asked.on("error", (error) => fail(error.message));
  asked.end(JSON.stringify({ query }));
  return subscriber;
}
