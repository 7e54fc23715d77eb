import { createHash } from "node:crypto";
import { seededRandom, VirtualNetwork, VirtualTime } from "@catalyst/harness";
import type { PeerCertificate } from "@catalyst/identity";
import {
  type Admit,
  type Channel,
  createSessions,
  type DialledPeer,
  type EndReason,
  type ProtocolUser,
  type SessionOptions,
  type SessionSnapshot,
  type Sessions,
} from "@catalyst/session";

export const domain = "acme.catalyst.internal";

export function nameOf(label: string): string {
  return `${label}.${domain}`;
}

/** A few nodes in one network and one time. */
export class VirtualFederation {
  readonly time = new VirtualTime();
  readonly network: VirtualNetwork<PeerCertificate>;
  readonly random: () => number;
  readonly nodes: VirtualNode[] = [];

  constructor({ seed = 1, ...conditions }: ConstructorParameters<typeof VirtualNetwork>[1] = {}) {
    this.network = new VirtualNetwork<PeerCertificate>(this.time, { seed, ...conditions });
    this.random = seededRandom(seed + 1);
  }

  /** Starts a node, which listens at its own name; one that runs under the same name has to be gone. */
  async node(label: string, from: VirtualNodeOptions = {}): Promise<VirtualNode> {
    const node = new VirtualNode(this, label, from);
    this.nodes.push(node);
    await node.sessions.listen(label);
    return node;
  }
}

export type VirtualNodeOptions = {
  readonly options?: Partial<SessionOptions>;
  readonly protocols?: readonly Partial<ProtocolUser>[];
  readonly admit?: Admit;
  readonly skewMs?: number;
  /** Whether peers see a certificate. Default true. */
  readonly authenticated?: boolean;
  /** Of the certificate, after the beginning of time. Default one day. */
  readonly validMs?: number;
};

/** A node with what came to it. */
export class VirtualNode {
  readonly federation: VirtualFederation;
  readonly label: string;
  readonly sessions: Sessions;
  readonly channels: Channel[] = [];
  readonly received: string[] = [];
  readonly ends: (EndReason & { readonly peer: string | null; readonly established: boolean })[] = [];
  readonly skewed: string[] = [];
  turnedAway = 0;

  constructor(federation: VirtualFederation, label: string, from: VirtualNodeOptions) {
    this.federation = federation;
    this.label = label;
    const proof =
      from.authenticated === false ? null : proofOf(federation, label, from.validMs ?? 86_400_000);
    const open = (channel: Channel) => {
      this.channels.push(channel);
      this.read(channel);
    };
    this.sessions = createSessions(
      {
        node: nameOf(label),
        domain,
        transports: federation.network.host(label, proof),
        protocols: (from.protocols ?? [{}]).map((each) => ({ name: "cp", versions: [1], open, ...each })),
        admit: from.admit ?? (() => ({ admitted: true })),
        clock: federation.time.withSkew(from.skewMs ?? 0),
        random: federation.random,
        events: {
          established: () => undefined,
          ended: ({ peer, reason, established }) => this.ends.push({ ...reason, peer, established }),
          skewed: (peer, skewMs) => this.skewed.push(`${peer} ${skewMs}`),
          turnedAway: () => {
            this.turnedAway += 1;
          },
        },
      },
      from.options,
    );
  }

  /** The peers that it dials, by label. */
  dial(...labels: readonly string[]): void {
    this.sessions.setPeers(labels.map((label): DialledPeer => ({ node: nameOf(label), address: label })));
  }

  /** Its established sessions, with one peer or with all. */
  established(label?: string): readonly SessionSnapshot[] {
    return this.sessions
      .snapshot()
      .sessions.filter(
        ({ state, node }) => state === "established" && (label === undefined || node === nameOf(label)),
      );
  }

  /** The channel of its last session. */
  get channel(): Channel {
    const channel = this.channels.at(-1);
    if (channel === undefined) throw new Error(`${this.label} has no channel`);
    return channel;
  }

  read(channel: Channel): void {
    const reading = async () => {
      for await (const message of channel) this.received.push(Buffer.from(message).toString());
    };
    reading().catch((error: unknown) => {
      this.received.push(`failed: ${error}`);
    });
  }
}

/** What a node's certificate says; its key is made of its name. */
export function proofOf(federation: VirtualFederation, label: string, validMs = 86_400_000) {
  const keyThumbprint = new Uint8Array(createHash("sha256").update(label).digest());
  const kid = Buffer.from(keyThumbprint).toString("base64url");
  const certificate: PeerCertificate = {
    id: { domain, node: label, process: "orchestrator" },
    dnsNames: [],
    thumbprint: kid,
    keyThumbprint: kid as NonNullable<PeerCertificate["keyThumbprint"]>,
    serial: "00",
    notBefore: federation.time.startedAt,
    notAfter: federation.time.startedAt + validMs,
    root: null,
  };
  return { certificate, keyThumbprint };
}
