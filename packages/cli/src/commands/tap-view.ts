import type { RouteEventView } from "@catalyst/rpc";
import { visible } from "@catalyst/wire";
import type { Printer } from "../printer.ts";
import { wrap } from "../table.ts";

type Of<Name extends RouteEventView["event"]> = Extract<RouteEventView, { event: Name }>;
type RouteEvent = Of<"route">;
type Colour = "green" | "red" | "yellow" | "cyan";

const colourOf: Readonly<Record<RouteEvent["change"], Colour>> = {
  announced: "green",
  changed: "cyan",
  renewed: "green",
  judged: "cyan",
  healthy: "green",
  unhealthy: "red",
  withdrawn: "red",
  expired: "red",
  stale: "yellow",
  swept: "red",
};

const whySwept: Readonly<Record<NonNullable<RouteEvent["reason"]>, string>> = {
  not_announced_again: "it was not told again after the session came back",
  restart_time_over: "the time in which it could have been told again is over",
  session_ended: "it went with the session",
  peer_removed: "the peer was removed",
};

/** As wide as the longest word for what happened. */
const wordWidth = "session down".length;
const indent = " ".repeat("00:00:00.000".length + 2 + wordWidth + 2);

/** How events are told to people. */
export type EventScreen = {
  readonly colours: Printer["colours"];
  /** Names of this organisation are shown without it. */
  readonly domain: string;
  readonly width: number | undefined;
};

/** One event in a line: the time (UTC), what happened, and to what. Broken where it is wider than the terminal. */
export function renderEvent(event: RouteEventView, screen: EventScreen): string[] {
  const { colours, width } = screen;
  const [word, colour, text] = describe(event, nameIn(screen.domain));
  const painted = colour === null ? colours.bold(word) : colours[colour](word);
  const line = `${event.at.slice(11, 23)}  ${painted}${" ".repeat(wordWidth - word.length)}  ${text}`;
  return wrap(line, width, indent);
}

type Name = (name: string) => string;

function nameIn(domain: string): Name {
  return (name) => visible(name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : name);
}

function describe(event: RouteEventView, name: Name): [word: string, colour: Colour | null, text: string] {
  switch (event.event) {
    case "session_up":
      return ["session up", "green", `with ${name(event.peer)}`];
    case "session_down":
      return ["session down", "red", describeEnd(event, name)];
    case "route":
      return [event.change, colourOf[event.change], describeRoute(event, name)];
    case "best":
      return ["best", null, describeBest(event, name)];
    case "lost":
      return ["lost", "yellow", describeLoss(event)];
  }
}

function describeEnd({ peer, code, text, by, stale }: Of<"session_down">, name: Name): string {
  const who = by === null ? "" : by === "us" ? ", ended here" : ", ended there";
  const rest = stale === 0 ? "" : `; ${counted(stale, "route")} of it kept, stale`;
  return `with ${name(peer)}: ${visible(text)} (${visible(code)}${who})${rest}`;
}

function describeRoute({ change, route, accepted, changed, reason }: RouteEvent, name: Name): string {
  const { service, peer, origin, nextHop, rule, healthy } = route;
  const from = peer === null ? "of this node" : `from ${name(peer)}`;
  const beyond = peer === null || peer === origin ? "" : ` of ${name(origin)}`;
  const what = `${name(service)}${beyond} ${from}`;
  const verdict = `${accepted ? "let in" : "kept out"} by "${visible(rule ?? "")}"`;
  const sick = healthy ? "" : ", unhealthy";
  switch (change) {
    case "announced":
      return `${what} at ${visible(nextHop)}${sick}: ${verdict}`;
    case "changed":
      return `${what}: ${changed.map(visible).join(", ")}${sick}; ${verdict}`;
    case "judged":
      return `${what}: ${verdict}`;
    case "renewed":
      return `${what}: told again as it was`;
    case "stale":
      return `${what}: kept while the peer is expected back`;
    case "swept":
      return `${what}: ${reason === null ? "nobody said why" : whySwept[reason]}`;
    default:
      return what;
  }
}

function describeBest({ service, route, criterion, alternates }: Of<"best">, name: Name): string {
  if (route === null) return `${name(service)}: no path is left`;
  const { peer, origin, nextHop, healthy } = route;
  const through = peer === null ? "this node" : `through ${name(peer)}`;
  const to = peer === null || peer === origin ? "" : ` to ${name(origin)}`;
  const why =
    criterion === null ? "the only path" : `${visible(criterion)}, before ${counted(alternates, "other")}`;
  return `${name(service)} ${through}${to} at ${visible(nextHop)}${healthy ? "" : ", unhealthy"}: ${why}`;
}

function describeLoss({ count }: Of<"lost">): string {
  if (count === null) return "events that nobody counted: this reader was away";
  return `${counted(count, "event")}: they came faster than they were read`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
