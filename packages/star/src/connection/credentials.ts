import { isIP } from "node:net";
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
} from "node:tls";
import { CallCredentials, ChannelCredentials, type experimental } from "@grpc/grpc-js";
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
  connectionOptions(host: string, protocol: "h2" | "http/1.1" = "h2"): ConnectionOptions {
    const { material } = this.#store;
    if (this.#context?.of !== material) this.#context = { of: material, made: contextOf(material) };
    // RFC 6066 §3: an address is no server name.
    const servername = isIP(host) === 0 ? host : "";
    return { secureContext: this.#context.made, host, servername, ALPNProtocols: [protocol] };
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
