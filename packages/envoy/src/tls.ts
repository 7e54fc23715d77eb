import { isIP } from "node:net";
import { rootCertificates } from "node:tls";
import { encodeResource, type Resource } from "@catalyst/xds";
import type { TransportSocketSchema } from "@catalyst/xds/api/config/core/v3/base_pb";
import {
  CertificateValidationContext_TrustChainVerification,
  type CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/common_pb";
import { SecretSchema } from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/secret_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/tls_pb";
import { EnvoyError } from "./errors.ts";
import { defaultTlsSecret, type MeshInput } from "./mesh.ts";
import { fromAds, type Init, packed } from "./message.ts";
import type { RoutedService } from "./service.ts";

type SocketInit = Init<typeof TransportSocketSchema>;

/** A certificate chain and its unencrypted key, PEM. */
export type KeyPair = { readonly certificate: string; readonly privateKey: string };

/** Name of the secret with the certificates that https services are checked against. */
const trustSecret = "upstream-trust";

export const tlsSocketName = "envoy.transport_sockets.tls";
const protocols = {
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
};

/** A certificate and its key as a secret that listeners name. Throws {@link EnvoyError} `secret_invalid`. */
export function compileSecret(name: string, { certificate, privateKey }: KeyPair): Resource {
  if (!certificate.includes("-----BEGIN CERTIFICATE-----") || !privateKey.includes("PRIVATE KEY-----")) {
    throw new EnvoyError("secret_invalid", `secret ${name}: the certificate or its key is not PEM`);
  }
  return encodeResource(SecretSchema, name, {
    name,
    type: {
      case: "tlsCertificate",
      value: { certificateChain: inlineText(certificate), privateKey: inlineText(privateKey) },
    },
  });
}

/**
 * The certificates of authorities, PEM, that services with https URLs are checked against, those given beside the
 * well-known ones; sent to Envoy when the first such service names them.
 */
export function compileTrust(given = ""): Resource {
  return encodeResource(SecretSchema, trustSecret, {
    name: trustSecret,
    type: {
      case: "validationContext",
      value: { trustedCa: inlineText([...rootCertificates, given].join("\n")) },
    },
  });
}

/**
 * Any certificate that a client shows is taken: it names nobody, and only its digest counts, for tokens that are bound to
 * it. No authority is asked for, so that clients of all kinds show what they have; the digest here is nobody's.
 */
const anyCertificate: Init<typeof CertificateValidationContextSchema> = {
  trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED,
  verifyCertificateHash: ["00".repeat(32)],
};

/**
 * TLS towards clients: 1.2 or newer, HTTP/2 preferred, the certificate by its secret. Where credentials are demanded
 * clients are asked for a certificate of theirs, and need none.
 */
export function downstreamTls(mesh: MeshInput): SocketInit {
  const asked = { validationContextType: { case: "validationContext" as const, value: anyCertificate } };
  const typedConfig = packed(DownstreamTlsContextSchema, {
    commonTlsContext: {
      tlsParams: protocols,
      alpnProtocols: ["h2", "http/1.1"],
      tlsCertificateSdsSecretConfigs: [{ name: mesh.tlsSecretName ?? defaultTlsSecret, sdsConfig: fromAds }],
      ...(mesh.auth === undefined ? {} : asked),
    },
  });
  return { name: tlsSocketName, configType: { case: "typedConfig", value: typedConfig } };
}

/** TLS towards a service: its certificate must be trusted and be made out to the name in its URL. */
export function upstreamTls({ tlsName, http }: RoutedService): SocketInit | null {
  if (tlsName === null) return null;
  const address = isIP(tlsName) !== 0;
  const sanType = address ? SubjectAltNameMatcher_SanType.IP_ADDRESS : SubjectAltNameMatcher_SanType.DNS;
  const matcher = { matchPattern: { case: "exact" as const, value: tlsName } };
  const typedConfig = packed(UpstreamTlsContextSchema, {
    ...(address ? {} : { sni: tlsName }),
    commonTlsContext: {
      tlsParams: protocols,
      alpnProtocols: [http === 2 ? "h2" : "http/1.1"],
      validationContextType: {
        case: "combinedValidationContext",
        value: {
          defaultValidationContext: { matchTypedSubjectAltNames: [{ sanType, matcher }] },
          validationContextSdsSecretConfig: { name: trustSecret, sdsConfig: fromAds },
        },
      },
    },
  });
  return { name: tlsSocketName, configType: { case: "typedConfig", value: typedConfig } };
}

export function inlineText(text: string) {
  return { specifier: { case: "inlineString" as const, value: text } };
}
