import {
  type Anchor,
  fromPem,
  ownAnchor,
  type PeerTrust,
  type ProcessIdentity,
  peerTrustOf,
  type TrustDocument,
  thumbprintOf,
  trustInAnchors,
} from "@catalyst/identity";
import { RpcError } from "@catalyst/rpc";
import type { TlsCredentials } from "@catalyst/session";
import { NodeError } from "../errors.ts";
import type { OwnIdentity } from "../identity/own-identity.ts";

export type PeerCredentialsParts = {
  readonly own: Pick<OwnIdentity, "process" | "trust">;
  /** What peers that were added at run time are believed by. */
  readonly anchors: () => readonly Anchor[];
};

/** What this node shows who asks who it is. */
export type Shown = {
  readonly credentials: TlsCredentials;
  /** DER, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** What the chain goes back to, DER. */
  readonly anchor: Uint8Array;
};

const nobody: PeerTrust = { roots: [], pinned: [], denied: [] };

/**
 * What this node proves to its peers, and by what it judges what they prove. What cannot be read anew leaves what was read
 * before in force; a peer that was removed is believed no more whatever else cannot be read.
 */
export class PeerCredentials {
  readonly #parts: PeerCredentialsParts;
  #identity: ProcessIdentity | null = null;
  #envoy: ProcessIdentity | null = null;
  #trust = nobody;
  #kept: PeerTrust | null = null;
  #heard: PeerTrust | null = null;
  #current: TlsCredentials | null = null;
  #anchor: Uint8Array | null = null;
  #problem: string | null = null;

  constructor(parts: PeerCredentialsParts) {
    this.#parts = parts;
  }

  /** Null as long as there are none. */
  get current(): TlsCredentials | null {
    return this.#current;
  }

  /** Why the newest are not in force; null when they are. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Whom the organisation believes, as the auth process tells. */
  hear(document: TrustDocument): void {
    this.#heard = peerTrustOf(document);
  }

  /** SHA-256 of what this node's certificate goes back to, base64url; null where that is not known. */
  get fingerprint(): string | null {
    return this.#anchor === null ? null : thumbprintOf(this.#anchor);
  }

  /** Reads all of it anew. What cannot be read stays as it was; who is believed and what is shown are two matters. */
  refresh(): void {
    const { own, anchors } = this.#parts;
    const reading = (read: () => void): string | null => {
      try {
        read();
        return null;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    const shown = reading(() => {
      this.#identity = own.process("orchestrator");
      this.#envoy = own.process("envoy");
    });
    const believed = reading(() => {
      this.#kept = own.trust();
    });
    this.#problem = shown ?? believed ?? (this.#identity === null ? missing : null);
    this.#trust = union(this.#kept, this.#heard, trustInAnchors(anchors()));
    this.#current = this.#proofOf(this.#identity);
    this.#anchor = this.#current === null ? null : ownAnchor(chainOf(this.#current), this.#trust);
  }

  /** What this node's Envoy shows to those of others, and by what it judges them. Null as long as there is nothing. */
  get envoy(): TlsCredentials | null {
    return this.#proofOf(this.#envoy);
  }

  /** For a connection. Throws {@link NodeError} `certificate_invalid` as long as there are none. */
  proof(): TlsCredentials {
    if (this.#current !== null) return this.#current;
    throw new NodeError("certificate_invalid", this.#problem ?? missing);
  }

  trust(): PeerTrust {
    return this.#trust;
  }

  #proofOf(identity: ProcessIdentity | null): TlsCredentials | null {
    if (identity === null) return null;
    const { certificateChain, privateKey } = identity;
    return { certificateChain, privateKey, trust: this.#trust };
  }

  /** For an invitation. Throws RpcError `peers_not_served` where the node could show nothing that others might believe. */
  shown(): Shown {
    const credentials = this.#current;
    if (credentials === null) throw new RpcError("peers_not_served", this.#problem ?? missing);
    const anchor = this.#anchor;
    if (anchor !== null) return { credentials, chain: chainOf(credentials), anchor };
    throw new RpcError(
      "peers_not_served",
      "the node's certificate goes back to no root that it knows: name that in `auth.identity.roots`",
    );
  }
}

const missing = "this node has no certificate yet: its auth process gives it one";

function chainOf({ certificateChain }: TlsCredentials): readonly Uint8Array[] {
  return fromPem("CERTIFICATE", certificateChain);
}

/** What is configured or was kept, what was heard since, and what peers brought. What was heard last says who is denied. */
function union(kept: PeerTrust | null, heard: PeerTrust | null, brought: PeerTrust): PeerTrust {
  return {
    roots: [...(kept?.roots ?? []), ...(heard?.roots ?? []), ...brought.roots],
    pinned: [...(kept?.pinned ?? []), ...brought.pinned],
    denied: (heard ?? kept)?.denied ?? [],
  };
}
