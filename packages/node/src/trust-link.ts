import { readTrustDocument, type TrustDocument } from "@catalyst/identity";
import { authContract, type Connection, keepConnected } from "@catalyst/rpc";

export type TrustLinkParts = {
  readonly socketPath: string;
  readonly stopping: AbortSignal;
  /** Is told what is believed in the organisation, whenever that is something else. */
  readonly onTrust: (trust: TrustDocument) => void;
  readonly onFailure: (error: unknown) => void;
};

/** The auth process answers a watch after 25 s at the latest. */
const watchTimeoutMs = 35_000;

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
  while (!during.aborted) {
    if (notice.document !== null) onTrust(readTrustDocument(notice.document));
    notice = await call.watchTrust({ after: notice.version }, { timeoutMs: watchTimeoutMs });
  }
}
