import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type Socket, connect as tcpConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { publicKeyOf, tokenKid } from "@catalyst/identity";
import type { Open } from "../src/message/open.ts";
import { socketTransport } from "../src/socket-transport.ts";
import { openOf, ScriptedPeer } from "./scripted-peer.ts";

/** What a scripted peer shows of itself, PEM. */
export type ScriptedProof = {
  readonly cert: string;
  readonly key: string;
  readonly roots: readonly string[];
};

/** Who a scripted peer says to be, with what it proves that; null where nobody proves anything. */
export type ScriptedName = {
  readonly node: string;
  readonly domain: string;
  readonly proof: ScriptedProof | null;
};

/** A scripted peer on a real socket. */
export type ScriptedConnection = {
  readonly peer: ScriptedPeer;
  readonly socket: Socket;
  /** Its OPEN, as its certificate has it but for what is changed. */
  readonly own: (changed?: Partial<Open>) => Open;
  /** Opens a session as it should be. Resolves when its ACCEPT was written; throws when the other end refuses. */
  readonly establish: (changed?: Partial<Open>) => Promise<void>;
};

/** Wide windows: what the other end may send is not what bounds it. */
const protocols = [{ name: "cp", versions: [1], windowMessages: 1_048_576, windowBytes: 268_435_456 }];

/** Connects to `HOST:PORT`, by TLS when there is a proof; rejects when the other end does not take it. */
export async function dialScripted(
  address: string,
  { node, domain, proof }: ScriptedName,
  { localAddress = "127.0.0.1" }: { readonly localAddress?: string } = {},
): Promise<ScriptedConnection> {
  const [host = "", port = ""] = address.split(":");
  const to = { host, port: Number(port), localAddress };
  const socket = proof === null ? tcpConnect(to) : tlsConnect({ ...to, ...tlsOf(proof) });
  await once(socket, proof === null ? "connect" : "secureConnect");
  const ownKeyThumbprint = proof === null ? new Uint8Array(32) : thumbprintOf(proof.cert);
  const peer = new ScriptedPeer(socketTransport(socket, { certificate: null, ownKeyThumbprint }));
  const own = (changed: Partial<Open> = {}) =>
    openOf(node, domain, ownKeyThumbprint, { protocols, timeMs: Date.now(), ...changed });
  return {
    peer,
    socket,
    own,
    establish: async (changed) => {
      const open = own(changed);
      peer.say("open", open);
      await peer.until(() => peer.heard.length >= 2 || peer.notification !== null);
      if (peer.notification !== null) throw new Error(`refused: ${peer.notification.code}`);
      peer.accept(open);
    },
  };
}

function tlsOf({ cert, key, roots }: ScriptedProof) {
  return {
    cert,
    key,
    ca: [...roots],
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["catalyst-session/1"],
  };
}

function thumbprintOf(cert: string): Uint8Array {
  return new Uint8Array(Buffer.from(tokenKid(publicKeyOf(new X509Certificate(cert).publicKey)), "base64url"));
}
