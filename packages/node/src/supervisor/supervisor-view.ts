import { isLoopback, parseAddress } from "@catalyst/config";
import { type CheckResult, type Decision, RpcError } from "@catalyst/rpc";
import type { NodeConfig } from "../options.ts";
import { checked, notExplainable } from "../process.ts";
import type { SupervisedChild } from "./child-process.ts";
import { endsWithParent } from "./parent.ts";
import { hostChecks } from "./preflight.ts";
import type { Replay } from "./replay.ts";

/** Where something of the node is reached. */
export type Endpoint = { readonly name: string; readonly url: string };

export type SupervisorViewParts = {
  readonly config: NodeConfig;
  readonly children: readonly SupervisedChild[];
  readonly replay: Replay;
  readonly endpoints: () => readonly Endpoint[];
};

/** What the supervisor knows, for `status`, `check` and `explain`. */
export class SupervisorView {
  readonly #parts: SupervisorViewParts;

  constructor(parts: SupervisorViewParts) {
    this.#parts = parts;
  }

  details() {
    const { config, children, replay, endpoints } = this.#parts;
    return {
      node: config.node.name,
      domain: config.node.domain,
      endpoints: [...endpoints()],
      children: children.map((child) => child.status()),
      replaying: replay.proxies(),
    };
  }

  /** The node is ready when a client is served: Envoy and the gateway have to be, who tells them what to do may be away. */
  readiness(): { ready: boolean; reasons: string[] } {
    const statuses = this.#parts.children.map((child) => child.status());
    const needed = statuses.filter(({ name }) => !["auth", "orchestrator"].includes(name));
    const reasons = statuses
      .filter(({ state }) => state !== "ready")
      .map(({ name, state, reason }) => `${name} is ${state}${reason === null ? "" : `: ${reason}`}`);
    return { ready: needed.every(({ state }) => state === "ready"), reasons };
  }

  check(): CheckResult[] {
    const { config, children, replay } = this.#parts;
    const egress = parseAddress(config.mesh.listen.egress);
    return [
      ...children.map((child) => {
        const { name, state, reason } = child.status();
        const detail = `${name} is ${state}${reason === null ? "" : `: ${reason}`}`;
        const hint = `see \`catalyst logs ${name}\``;
        return checked(
          `process.${name}`,
          `${name} runs and is ready`,
          child.isReady() ? null : { detail, hint },
        );
      }),
      checked(
        "process.orphans",
        "children end with the supervisor, also when it is killed",
        endsWithParent
          ? null
          : {
              outcome: "warning",
              detail: "this system cannot end them then; the next start does",
              hint: "install util-linux, whose setpriv is used for it",
            },
      ),
      checked(
        "envoy.live",
        "Envoy is configured by the orchestrator, not from its last good configuration",
        replay.proxies() === 0 && children.every((child) => child.isReady())
          ? null
          : {
              outcome: "warning",
              detail: "the orchestrator or Envoy is away: changes wait until both are there",
              hint: "see `catalyst status` and `catalyst logs orchestrator`",
            },
      ),
      checked(
        "egress.loopback",
        "egress is reached from this machine alone",
        isLoopback(egress)
          ? null
          : {
              detail: `egress listens on ${config.mesh.listen.egress}`,
              hint: "choose a loopback address with --egress",
            },
      ),
      ...hostChecks(),
    ];
  }

  /** Throws `not_explainable` for another subject than a process or an unknown process. */
  explain(subject: string, name: string): Decision {
    const child = this.#parts.children.find((each) => each.name === name);
    if (subject !== "process") throw notExplainable("supervisor", subject, ["process"]);
    if (child === undefined) {
      const known = this.#parts.children.map((each) => each.name).join(", ");
      throw new RpcError("not_explainable", `no process is called ${name}; there are ${known}`);
    }
    const status = child.status();
    return {
      question: `why is ${name} ${status.state}?`,
      asOf: new Date().toISOString(),
      inputs: { ...status },
      steps: [
        { rule: "it runs", outcome: status.pid === null ? "no" : `yes, as process ${status.pid}` },
        { rule: "its last run ended", outcome: status.lastExit ?? "this is its first" },
        ...(status.lastError === null ? [] : [{ rule: "because", outcome: status.lastError }]),
        { rule: "it says that it is ready", outcome: child.isReady() ? "yes" : "not yet" },
      ],
      result: status.reason === null ? status.state : `${status.state}: ${status.reason}`,
    };
  }
}
