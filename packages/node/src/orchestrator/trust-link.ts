import { readTrustDocument, type TrustDocument } from "@catalyst/identity";
import { authContract, type Connection, keepConnected, watchTimeoutMs } from "@catalyst/rpc";

export type TrustLinkParts = {
  readonly socketPath: string;
  readonly stopping: AbortSignal;
  /** Is told what is believed in the organisation: with each connection, and whenever that is something else. */
  readonly onTrust: (trust: TrustDocument) => void;
  readonly onFailure: (error: unknown) => void;
};

/** Hears from the auth process whom the organisation believes, until the signal aborts. */
export function followTrust({ socketPath, stopping, onTrust, onFailure }: TrustLinkParts): Promise<void> {
  return keepConnected(socketPath, authContract, { signal: stopping, onFailure }, (connection, during) =>
    follow(connection, during, onTrust),
  );
}

async function follow(
  { call }: Connection<typeof authContract>,
  during: AbortSignal,
  onTrust: (trust: TrustDocument) => void,
): Promise<void> {
  let notice = await call.trust(undefined);
  let heard: string | null = null;
  while (!during.aborted) {
    const { version, document } = notice;
    // The answer to a watch in which nothing happened is what was heard before.
    if (document !== null && document !== heard) onTrust(readTrustDocument(document));
    heard = document;
    notice = await call.watchTrust({ after: version }, { timeoutMs: watchTimeoutMs });
  }
}
