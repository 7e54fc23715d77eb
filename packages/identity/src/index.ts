export {
  type Admission,
  type AdmissionCode,
  type AdmissionQuestion,
  type AdmittedProtocol,
  admit,
} from "./admission/admit.ts";
export {
  authoritiesOf,
  type Denial,
  type DomainRoot,
  domainRoot,
  type PeerTrust,
  type PinnedCertificate,
  pinnedCertificate,
  readCertificates,
} from "./admission/peer-trust.ts";
export {
  type CertificateIssuer,
  certificateLifetimes,
  createIssuingCertificate,
  createRootCertificate,
  issueLeaf,
  selfSignLeaf,
} from "./certificate/authority.ts";
export {
  chainOf,
  type PeerCertificate,
  readPeerCertificate,
  thumbprintOf,
} from "./certificate/peer-certificate.ts";
export { fromPem, type PemLabel, toPem } from "./certificate/pem.ts";
export { createRevocationList, type RevokedCertificate } from "./certificate/revocation-list.ts";
export { createSigningRequest, readSigningRequest } from "./certificate/signing-request.ts";
export { hostAddress } from "./copied-text.ts";
export {
  type CertifiedProcess,
  certifiedProcesses,
  decodeEnrolmentAnswer,
  decodeEnrolmentRequest,
  decodeRenewalRequest,
  type EnrolmentAnswer,
  type EnrolmentRequest,
  encodeEnrolmentAnswer,
  encodeEnrolmentRequest,
  encodeRenewalRequest,
} from "./enrolment/enrolment.ts";
export {
  formatJoinToken,
  type JoinToken,
  joinTokenId,
  parseJoinToken,
} from "./enrolment/join-token.ts";
export { decodeMessage, encodeMessage } from "./enrolment/message.ts";
export {
  enrolmentProof,
  exporterOf,
  isProof,
  requestsDigest,
  type SigningRequests,
} from "./enrolment/proof.ts";
export {
  type Renewal,
  type RenewalEvent,
  type RenewalNeed,
  renewalNeed,
  renewalStep,
  startRenewal,
} from "./enrolment/renewal.ts";
export {
  readTrustBundle,
  type TrustBundle,
  type TrustBundleContent,
  writeTrustBundle,
} from "./enrolment/trust-bundle.ts";
export {
  peerTrustOf,
  readTrustDocument,
  type TrustDocument,
  trustDocument,
} from "./enrolment/trust-document.ts";
export {
  IdentityFolder,
  type Membership,
  type PendingEnrolment,
  type ProcessIdentity,
  type ProcessKeys,
  readProcessIdentity,
} from "./identity-folder.ts";
export { type IdentityOptions, identityOptions } from "./identity-options.ts";
export {
  type Anchor,
  type IntroducedPeer,
  judgePeer,
  ownAnchor,
  readAnchor,
  trustInAnchors,
} from "./invitation/anchor.ts";
export {
  formatInvitation,
  type Invitation,
  invitationId,
  parseInvitation,
} from "./invitation/invitation.ts";
export {
  decodeInvitationMessage,
  encodeInvitationMessage,
  type InvitationMessage,
  invitationProtocol,
  type JoinRequest,
  maxInvitationBytes,
} from "./invitation/invitation-message.ts";
export { invitationProof } from "./invitation/invitation-proof.ts";
export {
  type InvitationRefusal,
  type InvitationRefusalCode,
  refusal,
} from "./invitation/invitation-refusal.ts";
export { judgeJoin, userOf } from "./invitation/judge-join.ts";
export { readTokenJwks, type TokenJwk, tokenJwkOf } from "./jwks.ts";
export { type KeptKey, type KeySecret, type KeyStore, openKeyStore } from "./key-store.ts";
export { statementKid, tokenKid } from "./kid.ts";
export { type KeyOptions, keyOptions, type TrustOptions, trustOptions, trustRoots } from "./options.ts";
export * from "./portable.ts";
export {
  createSigner,
  generateKey,
  type KeyAlgorithm,
  type PrivateKey,
  privateKeyOf,
  publicKeyOf,
  type Signer,
} from "./private-key.ts";
export {
  planRotation,
  type RotatingKey,
  type RotationStep,
  type RotationTimings,
  removedAt,
  rotated,
  type SigningKeyState,
  waitsUntil,
} from "./rotation.ts";
export { formatSpiffeId, nodeNameOf, parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";
export {
  clockSkewSeconds,
  coversService,
  mintToken,
  readTokenIssuer,
  type TokenClaims,
  type TokenIssuer,
  type TokenKind,
  type TokenRefusal,
  type TokenRequest,
  type TokenTrust,
  type VerifiedToken,
  verifyToken,
} from "./token.ts";
