/** The types of statements that this package reads: media types, RFC 9596. */
export const statementType = {
  receipt: "application/vnd.catalyst.receipt+cbor",
  delegation: "application/vnd.catalyst.delegation+cbor",
  auditHead: "application/vnd.catalyst.audit-head+cbor",
} as const;
