// What tests of other packages stand on; nothing that runs for a user imports this.
export {
  type AdmissionDoor,
  admissionContract,
  type Knock,
  type OpenDoor,
} from "./admission/admission-contract.ts";
export {
  createTestOrganisation,
  issueBelow,
  issueForSeveral,
  issuingBelow,
  selfSigned,
  type TestIdentity,
  type TestOrganisation,
} from "./certificate/test-organisation.ts";
