import { TlsIdentity } from "../connection/credentials.ts";
import type { TlsFiles } from "../connection/tls-files.ts";
import { StarSources } from "../replicate/star-sources.ts";
import { type StarAddress, StarClient } from "./star-client.ts";

type Trusting = Pick<StarAddress, "authoritiesFile">;
/** How the stars of some authorities are met. */
type Way = { readonly identity: TlsIdentity; readonly sources: StarSources };

/** The stars that a Nucleus has to do with, one connection to command each. */
export class StarConnections implements AsyncDisposable {
  readonly #tls: TlsFiles;
  readonly #stars = new Map<string, StarClient>();
  /** By the file of the authorities; undefined: those of the Nucleus. */
  readonly #ways = new Map<string | undefined, Way>();

  /** Throws StarError `certificate_invalid`. */
  constructor(tls: TlsFiles) {
    this.#tls = tls;
    this.#wayTo({});
  }

  /** The star at an address, to be commanded. Throws StarError `request_invalid` and `certificate_invalid`. */
  star(address: StarAddress): StarClient {
    const key = JSON.stringify([address.url, address.token, address.authoritiesFile]);
    const known = this.#stars.get(key) ?? new StarClient(address, this.#wayTo(address).identity);
    this.#stars.set(key, known);
    return known;
  }

  /** Reads files of the star at an address. Throws StarError `certificate_invalid`. */
  sourcesOf(address: Trusting): StarSources {
    return this.#wayTo(address).sources;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const star of this.#stars.values()) star[Symbol.dispose]();
    for (const { sources } of this.#ways.values()) await sources[Symbol.asyncDispose]();
  }

  #wayTo({ authoritiesFile }: Trusting): Way {
    const known = this.#ways.get(authoritiesFile);
    if (known !== undefined) return known;
    const files = authoritiesFile === undefined ? this.#tls : { ...this.#tls, authoritiesFile };
    const identity = new TlsIdentity(files);
    const made = { identity, sources: new StarSources({ identity }) };
    this.#ways.set(authoritiesFile, made);
    return made;
  }
}
