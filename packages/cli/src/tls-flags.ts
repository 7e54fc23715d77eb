import type { TlsFiles } from "@catalyst/star";
import { environment } from "./environment.ts";

/** Files of TLS as `catalyst replicate` and `orbit-star` are given them. */
export type TlsFlags = {
  readonly tlsAuthorities?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
};

/** What the flags say, else the variables, else the configuration. */
export function tlsFilesOf(
  { tlsAuthorities, tlsCertificate, tlsKey }: TlsFlags,
  configured: TlsFiles = {},
): TlsFiles {
  // One who names a certificate means its key too: the two come from one place.
  const isGiven = tlsCertificate !== undefined || tlsKey !== undefined;
  const named = isGiven
    ? { certificateFile: tlsCertificate, privateKeyFile: tlsKey }
    : { certificateFile: variable("ORBIT_TLS_CERTIFICATE"), privateKeyFile: variable("ORBIT_TLS_KEY") };
  const isNamed = named.certificateFile !== undefined || named.privateKeyFile !== undefined;
  return {
    ...configured,
    ...(isNamed ? named : {}),
    authoritiesFile: tlsAuthorities ?? variable("ORBIT_TLS_AUTHORITIES") ?? configured.authoritiesFile,
  };
}

function variable(name: string): string | undefined {
  return environment[name] || undefined;
}
