import { admit, nodeNameOf, type PeerTrust } from "@catalyst/identity";
import { type Admit, type SessionAdmission, systemClock } from "@catalyst/session";

/** What may be said on a session: spec/peering.md. */
export const controlPlane = { name: "cp", versions: [1] } as const;

/** Lets in who is believed, under the name that its certificate says. */
export function admitBelieved(trust: () => PeerTrust): Admit {
  return ({ node, domain, certificate, purpose }, protocol) => {
    const unspoken = unspokenIn(purpose, protocol);
    if (unspoken !== null) return unspoken;
    const admission = admit({ certificate, protocol: "cp", now: systemClock.wall() }, trust());
    if (admission.kind === "refused") return { admitted: false, reason: admission.text };
    const named = nodeNameOf(admission.id);
    if (named !== node || admission.id.domain !== domain) {
      return { admitted: false, reason: `its certificate is that of ${named}, and it says to be ${node}` };
    }
    return { admitted: true };
  };
}

/** Without proof there is one thing left to look at: that a peer says to be of the same organisation. */
export function admitAnybody(own: string): Admit {
  return ({ domain, purpose }, protocol) => {
    if (domain === own) return unspokenIn(purpose, protocol) ?? { admitted: true };
    return { admitted: false, reason: `without proof nobody but ${own} is let in, and it says ${domain}` };
  };
}

/** Routes are exchanged in one session with each peer: in another one they would take the place of the first. */
function unspokenIn(purpose: string, protocol: string): SessionAdmission | null {
  if (protocol === controlPlane.name && purpose === "control") return null;
  return { admitted: false, reason: `${protocol} is not spoken in sessions of the purpose ${purpose}` };
}
