import { connect, type TLSSocket } from "node:tls";
import { StarError } from "../errors.ts";
import type { TlsIdentity } from "./credentials.ts";
import { parseStarUrl, type StarUrl } from "./star-url.ts";

/** Who says nothing for so long is not looked at any longer, in ms. */
const patienceMs = 3_000;

/** What shows when TLS is spoken to a star. */
type Look = {
  /** Null where nobody answers. */
  readonly speaksTls: boolean | null;
  /** Why its certificate does not do: a code of OpenSSL or Node. */
  readonly distrust: string | null;
  /** The names for which its certificate is. */
  readonly names: string;
  /** Why it broke off after it had heard who calls, as far as it says so; null where it did not. */
  readonly refusal: string | null;
};

/**
 * Why a star cannot be spoken with, as far as TLS is the reason; null where it is not. gRPC says no more than that there is no
 * connection, so another one is made to see. Returns StarError `tls_wanted`, `tls_missing`, `certificate_untrusted`,
 * `certificate_mismatch` or `certificate_wanted`.
 */
export async function diagnose(url: string, identity: TlsIdentity): Promise<StarError | null> {
  const star = parseStarUrl(url);
  const { speaksTls, distrust, names, refusal } = await look(star, identity);
  if (speaksTls === null) return null;
  if (!star.isSecure)
    return speaksTls ? new StarError("tls_wanted", `${url}: this star speaks TLS: write https://`) : null;
  if (!speaksTls) return new StarError("tls_missing", `${url}: this star speaks plain text: write http://`);
  if (distrust === "ERR_TLS_CERT_ALTNAME_INVALID")
    return new StarError(
      "certificate_mismatch",
      `${url}: the star's certificate is for ${names || "nobody"}`,
    );
  if (distrust !== null) {
    const why = distrustWords[distrust] ?? `is not believed: ${distrust}`;
    return new StarError("certificate_untrusted", `${url}: the star's certificate ${why}`);
  }
  if (refusal === null) return null;
  const words = "this star wants a certificate of its authorities, and does not take what it is shown";
  return new StarError("certificate_wanted", `${url}: ${words}${refusal}`);
}

const distrustWords: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired",
  CERT_NOT_YET_VALID: "is not good yet",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "is of no authority that is believed",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "is of no authority that is believed",
  SELF_SIGNED_CERT_IN_CHAIN: "is of no authority that is believed",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is its own, and of no authority",
};

/** Speaks TLS with a star until it has said something of its own, which is after it knows who calls (RFC 9113 §3.4). */
function look({ host, port, isSecure }: StarUrl, identity: TlsIdentity): Promise<Look> {
  const { promise, resolve } = Promise.withResolvers<Look>();
  const shown = isSecure ? identity.connectionOptions(host) : { host };
  const socket = connect({ ...shown, port, rejectUnauthorized: false });
  let seen: Look = { speaksTls: null, distrust: null, names: "", refusal: null };
  const end = (also: Partial<Look> = {}) => {
    clearTimeout(timer);
    resolve({ ...seen, ...also });
    socket.destroy();
  };
  const timer = setTimeout(end, patienceMs);
  socket.once("secureConnect", () => {
    seen = { ...seen, speaksTls: true, ...certificateOf(socket) };
    if (!isSecure) end(); // That is all there is to know.
  });
  socket.once("data", () => end());
  socket.once("close", () => end(seen.speaksTls === null ? {} : { refusal: "" }));
  socket.on("error", ({ code = "", reason }: NodeJS.ErrnoException & { readonly reason?: string }) => {
    if (code.includes("_ALERT_")) end({ speaksTls: true, refusal: `: ${reason}` });
    else if (code.startsWith("ERR_SSL_")) end({ speaksTls: false });
  });
  return promise;
}

function certificateOf(socket: TLSSocket): Pick<Look, "distrust" | "names"> {
  // Node says in its types that this is an error; it is a code.
  const distrust = socket.authorized ? null : String(socket.authorizationError);
  return { distrust, names: socket.getPeerCertificate().subjectaltname ?? "" };
}
