import { hash } from "node:crypto";
import { encodeResource, type Resource } from "@catalyst/xds";
import type { TransportSocketSchema } from "@catalyst/xds/api/config/core/v3/base_pb";
import {
  type CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/common_pb";
import { SecretSchema } from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/secret_pb";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/tls_pb";
import { SPIFFECertValidatorConfigSchema } from "@catalyst/xds/api/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb";
import type { MeshInput } from "./mesh.ts";
import { fromAds, type Init, packed } from "./message.ts";
import type { NextHop } from "./reachable.ts";
import { compileSecret, inlineText, type KeyPair, tlsSocketName } from "./tls.ts";

type SocketInit = Init<typeof TransportSocketSchema>;

/** Names of the secrets: what this node's Envoy shows, whom it lets in, and whom it goes to. */
const identitySecret = "node-identity";
const trustSecret = "node-trust";
const ownTrustSecret = "own-node-trust";

/** The certificate by which this node's Envoy proves itself to others. Throws {@link EnvoyError} `secret_invalid`. */
export function compileNodeIdentity(identity: KeyPair): Resource {
  return compileSecret(identitySecret, identity);
}

/** A root of an organisation, or a certificate that one of its nodes has signed for itself: DER. */
export type Anchor = { readonly domain: string; readonly certificate: Uint8Array };

/** A node that was revoked; with a serial number, in hexadecimal digits, only that certificate of it. */
export type DeniedNode = { readonly domain: string; readonly node: string; readonly serial: string | null };

/** The SPIFFE id of a node's Envoy. */
export function envoyOf({ domain, node }: Pick<DeniedNode, "domain" | "node">): string {
  return `spiffe://${domain}/node/${node}/envoy`;
}

/**
 * Whom this node's Envoy believes: each organisation's roots are good for its own SPIFFE ids and for no others. Only
 * where there are none those are believed that are pinned: Envoy knows one of the two ways at a time.
 *
 * Of a certificate with several SPIFFE ids Envoy takes the root that the first one asks for, and looks for the node that it
 * goes to among all of them. So there it believes the roots of its own organisation alone, whose nodes it goes to.
 */
export function compileAnchors(
  roots: readonly Anchor[],
  pinned: readonly Anchor[],
  domain: string,
): Resource[] {
  const isOwn = (anchor: Anchor) => anchor.domain === domain;
  return [
    anchors(trustSecret, roots, pinned),
    anchors(ownTrustSecret, roots.filter(isOwn), pinned.filter(isOwn)),
  ];
}

function anchors(name: string, roots: readonly Anchor[], pinned: readonly Anchor[]): Resource {
  // Without any, SPIFFE ids of no organisation are good; Envoy takes no empty list of certificates, and would keep the last one.
  const byPins = roots.length === 0 && pinned.length > 0;
  const value = byPins ? pinning(pinned) : { customValidatorConfig: byDomain(roots) };
  return encodeResource(SecretSchema, name, { name, type: { case: "validationContext", value } });
}

function byDomain(roots: readonly Anchor[]) {
  const trustDomains = [...Map.groupBy(roots, ({ domain }) => domain)].map(([name, own]) => ({
    name,
    trustBundle: inlineText(bundleOf(own)),
  }));
  const typedConfig = packed(SPIFFECertValidatorConfigSchema, { trustDomains });
  return { name: "envoy.tls.cert_validator.spiffe", typedConfig };
}

/** Exactly these certificates, while their time lasts. */
function pinning(pinned: readonly Anchor[]): Init<typeof CertificateValidationContextSchema> {
  const hashes = pinned.map(({ certificate }) => hash("sha256", certificate));
  return { trustedCa: inlineText(bundleOf(pinned)), verifyCertificateHash: hashes };
}

function bundleOf(anchors: readonly Anchor[]): string {
  return anchors.map(({ certificate }) => toPem(certificate)).join("");
}

const common = {
  tlsParams: {
    tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
  },
  tlsCertificateSdsSecretConfigs: [{ name: identitySecret, sdsConfig: fromAds }],
};
const validation = { name: trustSecret, sdsConfig: fromAds };
const ownValidation = { name: ownTrustSecret, sdsConfig: fromAds };

/** What is spoken between nodes: requests, or the bytes of TCP services, each connection those of one. */
export type NodeProtocol = "h2" | "catalyst-tcp";

/** How a node says in ALPN who opens a connection, by its full name: what it says is good only with its certificate. */
export function protocolOf(protocol: NodeProtocol, node: string): string {
  return `${protocol}/${node}`;
}

/** RFC 7301 §3.1 */
const longestProtocol = 255;

/** TLS towards other nodes' Envoys that come: who shows no certificate that is believed does not get in. */
export function nodesTls(protocol: NodeProtocol): SocketInit {
  const typedConfig = packed(DownstreamTlsContextSchema, {
    requireClientCertificate: true,
    // A session that is taken up again would be one whose certificate nobody looked at again.
    sessionTicketKeysType: { case: "disableStatelessSessionResumption", value: true },
    disableStatefulSessionResumption: true,
    commonTlsContext: {
      ...common,
      alpnProtocols: [protocol],
      validationContextType: { case: "validationContextSdsSecretConfig", value: validation },
    },
  });
  return { name: tlsSocketName, configType: { case: "typedConfig", value: typedConfig } };
}

/** TLS towards one node's Envoy: it has to be that one. The name asked for is the node's, for TCP the service's Host. */
export function nodeTls(
  { sni, spiffeId }: NextHop,
  protocol: NodeProtocol,
  { node, domain }: Pick<MeshInput, "node" | "domain">,
): SocketInit {
  const alpnProtocols = [protocolOf(protocol, `${node}.${domain}`), protocol];
  const exactly = {
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: "exact" as const, value: spiffeId } },
  };
  const typedConfig = packed(UpstreamTlsContextSchema, {
    sni,
    commonTlsContext: {
      ...common,
      alpnProtocols: alpnProtocols.filter((each) => each.length <= longestProtocol),
      validationContextType: {
        case: "combinedValidationContext",
        value: {
          defaultValidationContext: { matchTypedSubjectAltNames: [exactly] },
          validationContextSdsSecretConfig: ownValidation,
        },
      },
    },
  });
  return { name: tlsSocketName, configType: { case: "typedConfig", value: typedConfig } };
}

function toPem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replaceAll(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
