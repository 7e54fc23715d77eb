import { isIP } from "node:net";
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
} from "node:tls";
import { CallCredentials, ChannelCredentials, type experimental, ServerCredentials } from "@grpc/grpc-js";
import { StarError } from "../errors.ts";
import type { StarUrl } from "./star-url.ts";
import { type TlsFiles, type TlsMaterial, TlsStore } from "./tls-files.ts";

type SecureConnector = experimental.SecureConnector;

/** How stars are met over TLS: who is believed, and what is shown to those that ask. */
export class TlsIdentity {
  readonly #store: TlsStore;
  #context: { readonly of: TlsMaterial; readonly made: SecureContext } | null = null;

  /** Throws StarError `certificate_invalid`. */
  constructor(files: TlsFiles = {}) {
    this.#store = new TlsStore(files);
  }

  /**
   * What `node:tls` connects to a star with. A host that is an address is looked for among the certificate's addresses. Throws
   * StarError `certificate_invalid` where TLS does not take what the files hold, such as a key that is too short.
   */
  connectionOptions(host: string): ConnectionOptions {
    const { material } = this.#store;
    if (this.#context?.of !== material) this.#context = { of: material, made: contextOf(material) };
    // RFC 6066 §3: an address is no server name.
    const servername = isIP(host) === 0 ? host : "";
    return { secureContext: this.#context.made, host, servername, ALPNProtocols: ["h2"] };
  }

  /** For the channels to a star. */
  credentialsFor({ isSecure, host }: StarUrl): ChannelCredentials {
    return isSecure ? new TlsCredentials(this, host) : ChannelCredentials.createInsecure();
  }
}

function contextOf(material: TlsMaterial): SecureContext {
  try {
    return createSecureContext(material);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StarError("certificate_invalid", `TLS does not take what is shown to stars: ${why}`, { cause });
  }
}

/** gRPC's own ones keep what files held at first, and refuse addresses in place of names. */
class TlsCredentials extends ChannelCredentials {
  readonly #identity: TlsIdentity;
  readonly #host: string;

  constructor(identity: TlsIdentity, host: string) {
    super();
    this.#identity = identity;
    this.#host = host;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    calls = CallCredentials.createEmpty(),
  ): SecureConnector {
    return {
      connect: (socket) =>
        new Promise((resolve, reject) => {
          const secured = connectTls({ ...this.#identity.connectionOptions(this.#host), socket }, () =>
            resolve({ socket: secured, secure: true }),
          );
          secured.on("error", reject);
          secured.once("close", () => reject(new StarError("star_unreachable", "closed while TLS began")));
        }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => calls,
      destroy: () => undefined,
    };
  }
}

/** How often a star looks whether its certificate was renewed, in ms. */
const lookEveryMs = 10_000;

/**
 * What a star shows: its certificate; with authorities its callers need one of theirs. Throws StarError `certificate_invalid`.
 */
export function starCredentials(files: TlsFiles | undefined, everyMs = lookEveryMs): ServerCredentials {
  return files === undefined ? ServerCredentials.createInsecure() : new RenewedCredentials(files, everyMs);
}

class RenewedCredentials extends ServerCredentials {
  readonly #store: TlsStore;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(files: TlsFiles, everyMs: number) {
    const store = new TlsStore(files);
    if (store.material.cert === undefined)
      throw new StarError("certificate_invalid", "who serves over TLS needs a certificate with its key");
    super({ requestCert: files.authoritiesFile !== undefined }, store.material);
    this.#store = store;
    this.#everyMs = everyMs;
  }

  /** A server that listens watches. */
  override _addWatcher(...watcher: Parameters<ServerCredentials["_addWatcher"]>): void {
    super._addWatcher(...watcher);
    let shown = this.#store.material;
    this.#timer ??= setInterval(() => {
      const { material } = this.#store;
      if (material !== shown) this.updateSecureContextOptions(material);
      shown = material;
    }, this.#everyMs).unref();
  }

  override _removeWatcher(...watcher: Parameters<ServerCredentials["_removeWatcher"]>): void {
    super._removeWatcher(...watcher);
    if (this.getWatcherCount() > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
