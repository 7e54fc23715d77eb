import type { SessionSnapshot } from "./snapshot.ts";

/** How many are remembered: the one that ended longest ago is forgotten first. */
const maxDeparted = 1_024;

/** How the sessions of peers that came by themselves ended: without them, nothing here would say so. */
export class Departed {
  readonly #byNode = new Map<string, SessionSnapshot>();

  /** Of a session that was answered and has ended. */
  add(node: string, session: SessionSnapshot): void {
    this.#byNode.delete(node);
    this.#byNode.set(node, { ...session, node });
    const [oldest] = this.#byNode.keys();
    if (this.#byNode.size > maxDeparted && oldest !== undefined) this.#byNode.delete(oldest);
  }

  /** These, each with the last end of its peer, and those of peers that have none any more. */
  beside(sessions: readonly SessionSnapshot[]): readonly SessionSnapshot[] {
    const present = new Set(sessions.map(({ node }) => node));
    const away = [...this.#byNode.values()].filter(({ node }) => !present.has(node));
    return [...sessions.map((session) => this.#withLastEnd(session)), ...away];
  }

  #withLastEnd(session: SessionSnapshot): SessionSnapshot {
    const other = this.#byNode.get(session.node ?? "")?.lastEnd ?? null;
    if (other === null || (session.lastEnd !== null && session.lastEnd.at >= other.at)) return session;
    return { ...session, lastEnd: other };
  }
}
