import { readFileSync } from "node:fs";
import {
  domainRoot,
  IdentityError,
  IdentityFolder,
  type PeerTrust,
  type ProcessIdentity,
  peerTrustOf,
  pinnedCertificate,
  readCertificates,
  readProcessIdentity,
} from "@catalyst/identity";
import type { NodeConfig } from "../options.ts";
import { paths } from "../paths.ts";

/** A process's certificate, and whether the configuration names it; then nobody renews it. */
export type OwnCertificate = ProcessIdentity & { readonly isConfigured: boolean };

/**
 * What the processes of a node show, and whom they believe: what the configuration names by path, and else what the auth
 * process keeps. Each call reads anew.
 */
export class OwnIdentity {
  readonly #config: NodeConfig;
  readonly #folder: IdentityFolder;

  constructor(config: NodeConfig, dataDir: string) {
    this.#config = config;
    this.#folder = new IdentityFolder(paths.identity(dataDir));
  }

  /**
   * Null as long as there is none. Throws IdentityError `certificate_unusable` for a configured one that cannot be used
   * or is of another node, `identity_damaged`.
   */
  process(process: string): OwnCertificate | null {
    const declared = this.#config.auth.identity.certificates.find((each) => each.process === process);
    if (declared === undefined) {
      const kept = this.#folder.process(process);
      return kept === null ? null : { ...kept, isConfigured: false };
    }
    const option = `auth.identity.certificates[${process}]`;
    const identity = naming(option, () => {
      return readProcessIdentity(`${text(declared.certificateFile)}\n${text(declared.privateKeyFile)}`);
    });
    const { name, domain } = this.#config.node;
    const { id } = identity;
    if (id.node === name && id.domain === domain && id.process === process)
      return { ...identity, isConfigured: true };
    const [is, wanted] = [`${id.process} of ${id.node}.${id.domain}`, `${process} of ${name}.${domain}`];
    throw new IdentityError("certificate_unusable", `${option} is of ${is}, and not of ${wanted}`);
  }

  /** The files that say what a process shows and whom it believes: where one changes, both are to be read anew. */
  files(process: string): string[] {
    const { certificates, roots, pinnedFiles } = this.#config.auth.identity;
    const declared = certificates.find((each) => each.process === process);
    const shown =
      declared === undefined
        ? [this.#folder.pathOf(process)]
        : [declared.certificateFile, declared.privateKeyFile];
    return [...shown, this.#folder.trustPath, ...roots.map(({ file }) => file), ...pinnedFiles];
  }

  /** Who is believed. Null as long as nobody is. Throws IdentityError `certificate_unusable` or `identity_damaged`. */
  trust(): PeerTrust | null {
    const { roots, pinnedFiles } = this.#config.auth.identity;
    const document = this.#folder.trust();
    const heard = document === null ? null : peerTrustOf(document);
    if (heard === null && roots.length + pinnedFiles.length === 0) return null;
    const configured = roots.flatMap(({ domain, file }) => {
      const read = () => readCertificates(text(file)).map((certificate) => domainRoot(domain, certificate));
      return naming(`auth.identity.roots[${domain}]`, read);
    });
    const pinned = pinnedFiles.flatMap((file) => {
      return naming("auth.identity.pinnedFiles", () => readCertificates(text(file)).map(pinnedCertificate));
    });
    return { roots: [...(heard?.roots ?? []), ...configured], pinned, denied: heard?.denied ?? [] };
  }
}

function text(file: string): string {
  return readFileSync(file, "utf8");
}

/** Says with what is wrong which option it is about. */
function naming<Result>(option: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new IdentityError("certificate_unusable", `${option}: ${reason}`, { cause });
  }
}
