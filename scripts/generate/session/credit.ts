import type { VectorFile } from "../wire-vectors.ts";

const window = { messages: 8, bytes: 131_072 };
const send = (send: number, admitted = true) => ({ send, admitted });
const take = (take: number, credit: readonly [number, number] | null = null) => ({ take, credit });
const credit = (...credit: readonly [number, number]) => ({ credit });
const receive = (receive: number) => ({ receive });
const repeated = <Step>(times: number, step: Step) => Array.from({ length: times }, () => step);

const good = [
  { name: "eight messages, and then none", side: "sender", steps: [...repeated(8, send(1)), send(1, false)] },
  {
    name: "bytes up to the window, and then none",
    side: "sender",
    steps: [send(65_536), send(65_536), send(1, false)],
  },
  {
    name: "a message that does not fit waits, a smaller one would not have to",
    side: "sender",
    steps: [send(100_000), send(31_073, false), send(31_072)],
  },
  {
    name: "a quarter of the messages gives credit for as many",
    side: "sender",
    steps: [...repeated(8, send(1)), credit(2, 2), send(1), send(1), send(1, false)],
  },
  {
    name: "a quarter of the bytes gives credit too",
    side: "sender",
    steps: [send(32_768), send(98_304), send(1, false), credit(1, 32_768), send(32_768), send(1, false)],
  },
  {
    name: "a reader that takes one by one tells at each quarter of the messages",
    side: "receiver",
    steps: [...repeated(4, receive(10)), take(10), take(10, [2, 20]), take(10), take(10, [4, 40])],
  },
  {
    name: "a reader tells at a quarter of the bytes",
    side: "receiver",
    steps: [receive(32_767), receive(1), receive(1), take(32_767), take(1, [2, 32_768]), take(1)],
  },
  {
    name: "what was told makes room",
    side: "receiver",
    steps: [...repeated(8, receive(1)), take(1), take(1, [2, 2]), receive(1), receive(1)],
  },
];

const bad = [
  { name: "a ninth message", side: "receiver", steps: repeated(9, receive(1)) },
  { name: "a byte too many", side: "receiver", steps: [receive(65_536), receive(65_537)] },
  {
    name: "what was taken and not told makes no room",
    side: "receiver",
    steps: [...repeated(8, receive(1)), take(1), receive(1)],
  },
  { name: "more messages taken than sent", side: "sender", steps: [send(1), send(1), credit(3, 2)] },
  { name: "more bytes taken than sent", side: "sender", steps: [send(1), send(1), credit(2, 3)] },
  { name: "a CREDIT before the quarter", side: "sender", steps: [send(1), send(1), credit(1, 1)] },
  { name: "a CREDIT of nothing", side: "sender", steps: [credit(0, 0)] },
  { name: "a CREDIT twice", side: "sender", steps: [send(1), send(1), credit(2, 2), credit(2, 2)] },
  {
    name: "a CREDIT that says less than before",
    side: "sender",
    steps: [...repeated(4, send(10_000)), credit(2, 20_000), credit(4, 19_999)],
  },
];

export const creditVectors: Readonly<Record<"good" | "bad", VectorFile>> = {
  good: {
    about: "spec/session.md §7. Steps of a sender, and of a receiver, in a session with `window`.",
    vectors: good.map((one) => ({ window, ...one })),
  },
  bad: {
    about: "spec/session.md §7. Steps of which the last one is refused with `code`.",
    vectors: bad.map((one) => ({ window, ...one, code: "credit_exceeded" })),
  },
};
