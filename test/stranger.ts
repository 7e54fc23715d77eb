// Somebody outside who speaks to a node as an attacker would: over real TLS, with our own codecs, and with whatever
// certificate he could get hold of.
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type TLSSocket } from "node:tls";
import {
  certifiedProcesses,
  createSigningRequest,
  decodeEnrolmentAnswer,
  decodeMessage,
  type EnrolmentAnswer,
  encodeEnrolmentRequest,
  enrolmentProof,
  exporterOf,
  type JoinToken,
  joinTokenId,
  type PeerTrust,
  type SigningRequests,
  toPem,
} from "@catalyst/identity";
import { createSessions, tlsTransports } from "@catalyst/session";

/** A chain and its key, PEM. */
export type Shown = { readonly cert: string; readonly key: string };

/** What a root authority answered; of a refusal its code and words. */
export type Told = {
  readonly status: number;
  readonly code: string;
  readonly words: string;
  readonly body: Uint8Array;
};

/** A connection of TLS with whoever answers, believed or not. */
export async function dialTls(address: string, shown?: Shown): Promise<TLSSocket> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ...shown });
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  return socket;
}

/** One question on a connection, which ends with it: a POST where there is a body. */
export async function askOn(socket: TLSSocket, path: string, content?: Uint8Array): Promise<Told> {
  const method = content === undefined ? "GET" : "POST";
  const sent = request({ method, path, createConnection: () => socket });
  sent.end(content);
  const [response] = await once(sent, "response");
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  socket.destroy();
  const body = Uint8Array.from(Buffer.concat(parts));
  if (response.statusCode === 200) return { status: 200, code: "", words: "", body };
  const { code, text: words } = decodeMessage(body, "message_malformed") as { code: string; text: string };
  return { status: response.statusCode, code, words, body };
}

/** The same on a connection of its own, with a certificate or without one. */
export async function askAuthority(
  address: string,
  shown: Shown | undefined,
  path: string,
  content?: Uint8Array,
): Promise<Told> {
  return askOn(await dialTls(address, shown), path, content);
}

/** Keys of a machine, and its requests for certificates: for these processes, and by default for all. */
export async function newRequests(
  subject: { readonly node: string; readonly domain: string },
  processes: readonly string[] = certifiedProcesses,
) {
  const made = await Promise.all(
    processes.map(async (process) => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return { process, privateKey, request: await createSigningRequest(privateKey, subject) };
    }),
  );
  const keys: Readonly<Record<string, KeyObject>> = Object.fromEntries(
    made.map(({ process, privateKey }) => [process, privateKey]),
  );
  const requests: SigningRequests = Object.fromEntries(
    made.map(({ process, request }) => [process, request]),
  );
  return { keys, requests };
}

/** The body of an enrolment that is good on this connection alone. */
export function enrolmentOn(socket: TLSSocket, token: JoinToken, requests: SigningRequests): Uint8Array {
  const proof = enrolmentProof(token.secret, exporterOf(socket), requests);
  return encodeEnrolmentRequest({ token: joinTokenId(token.secret), requests, proof });
}

/** Joins with these requests, and returns what came of it. */
export async function enrolWith(token: JoinToken, requests: SigningRequests): Promise<Told> {
  const socket = await dialTls(token.addresses[0] ?? "");
  return askOn(socket, "/enrol", enrolmentOn(socket, token, requests));
}

/** A node that has joined, and is no more than its certificates: for each process what it shows. */
export async function joinAs(token: JoinToken) {
  const { keys, requests } = await newRequests(token);
  const answer = decodeEnrolmentAnswer((await enrolWith(token, requests)).body);
  return { answer, shown: (process: string) => shownOf(answer, process, keys[process]) };
}

function shownOf({ chains }: EnrolmentAnswer, process: string, key: KeyObject | undefined): Shown {
  const chain = chains[process as keyof typeof chains] ?? [];
  const cert = chain.map((der) => toPem("CERTIFICATE", der)).join("");
  return { cert, key: key?.export({ type: "pkcs8", format: "pem" }).toString() ?? "" };
}

/** How a session ended that somebody opened, or did not even come about. */
export type SessionEnd = { readonly established: boolean; readonly code: string; readonly words: string };

/** One session that somebody opens with a node, saying to be `node`; it is tried once. */
export class Intruder implements AsyncDisposable {
  readonly #sessions;
  /** Resolves with the first end, of the session or of the try. */
  readonly ended: Promise<SessionEnd>;
  /** Resolves when it is let in. */
  readonly established: Promise<void>;

  constructor(
    who: { readonly node: string; readonly domain: string; readonly shown: Shown; readonly trust: PeerTrust },
    at: { readonly node: string; readonly address: string },
  ) {
    const { node, domain, shown, trust } = who;
    const credentials = { certificateChain: shown.cert, privateKey: shown.key, trust };
    const isIn = Promise.withResolvers<void>();
    const over = Promise.withResolvers<SessionEnd>();
    [this.established, this.ended] = [isIn.promise, over.promise];
    this.#sessions = createSessions({
      node,
      domain,
      transports: tlsTransports({ credentials: () => credentials }),
      protocols: [{ name: "cp", versions: [1], open: () => undefined }],
      admit: () => ({ admitted: true }),
      events: {
        established: () => isIn.resolve(),
        ended: ({ reason, established }) => {
          over.resolve({ established, code: reason.code, words: reason.text });
          this.#sessions.setPeers([]);
        },
        skewed: () => undefined,
        turnedAway: () => undefined,
      },
    });
    this.#sessions.setPeers([at]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#sessions.close();
  }
}
