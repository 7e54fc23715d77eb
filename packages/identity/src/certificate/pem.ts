export type PemLabel = "CERTIFICATE" | "X509 CRL";

/** RFC 7468. */
export function toPem(label: PemLabel, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .match(/.{1,64}/g) ?? [""];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The blocks with this label, in their order; none where there is none. */
export function fromPem(label: PemLabel, text: string): readonly Uint8Array[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, "g"));
  return Array.from(blocks, ([, body = ""]) => Uint8Array.from(Buffer.from(body, "base64")));
}
