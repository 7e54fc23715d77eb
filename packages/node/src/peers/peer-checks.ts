import type { CheckResult, PeeringState } from "@catalyst/rpc";
import { checked } from "../process.ts";

/** A clock that is further off than certificates and tokens bear. */
const maxSkewMs = 5_000;
const certificateWarningMs = 4 * 60 * 60 * 1_000;

/** What `check` and the reasons of `status` say of peers; nothing where there are none. */
export function peerChecks(state: PeeringState | null): CheckResult[] {
  if (state === null) return [];
  const away = state.peers.filter(({ origin, state }) => origin !== "incoming" && state !== "established");
  const skewed = state.peers.filter(({ clockSkewMs }) => Math.abs(clockSkewMs ?? 0) > maxSkewMs);
  const soon = Date.now() + certificateWarningMs;
  const expiring = state.peers.filter(
    ({ certificateNotAfter }) => certificateNotAfter !== null && Date.parse(certificateNotAfter) < soon,
  );
  return [
    checked(
      "peers.authenticated",
      "peers prove who they are",
      state.authenticated
        ? null
        : {
            detail:
              "sessions are plain: whoever reaches the address may say to be anybody, and read everything",
            hint: "take `mesh.peering.insecurePlain` out of the configuration as soon as the nodes reach each other",
          },
    ),
    checked(
      "peers.established",
      "there is a session with every peer that is configured or was invited",
      away.length === 0 && state.problem === null
        ? null
        : {
            detail: [
              ...(state.problem === null ? [] : [state.problem]),
              ...away.map(
                ({ node, state, lastEnd }) =>
                  `${node}: ${state}${lastEnd === null ? "" : `, ${lastEnd.text}`}`,
              ),
            ].join("\n"),
            hint: "see `catalyst peer list`, and the log of the orchestrator at both ends",
          },
    ),
    checked(
      "peers.clocks",
      "the clocks of peers are close to this node's",
      skewed.length === 0
        ? null
        : {
            detail: skewed.map(({ node, clockSkewMs }) => `${node}: ${clockSkewMs} ms`).join("\n"),
            hint: "set the clock of one of the two by NTP",
          },
    ),
    checked(
      "peers.certificates",
      "no certificate of a peer is about to expire",
      expiring.length === 0
        ? null
        : {
            detail: expiring
              .map(({ node, certificateNotAfter }) => `${node}: ${certificateNotAfter}`)
              .join("\n"),
            hint: "see `catalyst check` there: it should have been renewed at half of its life",
          },
    ),
  ];
}

/**
 * Whether peers hear of a node's own services, `services` in number: `nextHop` is where their Envoys would reach them.
 * Nothing where there are no peers, or no services to tell of.
 */
export function nextHopCheck(
  state: PeeringState | null,
  services: number,
  nextHop: string | undefined,
): CheckResult[] {
  if (state === null || services === 0) return [];
  const lacking = {
    outcome: "warning" as const,
    detail: "this node has services, and tells peers of none: their Envoys could not reach it",
    hint: "give it `mesh.listen.mesh`, such as 192.0.2.1:10002, if other nodes are to have them",
  };
  return [
    checked(
      "peers.nextHop",
      "peers are told of this node's services",
      nextHop === undefined ? lacking : null,
    ),
  ];
}
