import fc from "fast-check";

/** Appears in whatever a caller sends that a service must not see. */
export const mark = "mallory";

/** What a caller may try to be believed in, threat 7. */
export const spoofed = [
  ...["x-catalyst-caller", "X-Catalyst-Caller", "X-CATALYST-CALLER", "x-catalyst-anything"],
  ...["x-catalyst-credential", "x-catalyst-keyless", "x-catalyst-scope"],
  ...["aside-x-catalyst-client-certificate", "Aside-X-Catalyst-Anything"],
  ...["x-jwt-sub", "X-Jwt-Payload", "x-envoy-upstream-alt-stat-name", "x-forwarded-client-cert"],
  ...["x_catalyst_caller", "X_Catalyst_Caller", "x-catalyst_caller"],
];

const piece = fc.constantFrom(
  ...[
    "/",
    "//",
    "..",
    "..%2f",
    "%2e%2e/",
    "%2f",
    "%5c",
    "\\",
    "%00",
    ";",
    ";/..",
    "%3b",
    "%09",
    "?",
    "#",
    "./",
    "*",
  ],
  ...["graphql", "apikeys", ".well-known", "jwks.json", "openid-configuration", "open", "x"],
);
/** The same at random. */
export const anyPath = fc.array(piece, { minLength: 1, maxLength: 7 }).map((parts) => `/${parts.join("")}`);

/** Threat 9: what may lead around a rule for paths. */
export const misleadingPaths: readonly string[] = [
  ...[
    "/open/..%2f",
    "/open/..%2fgraphql",
    "//graphql",
    "/graphql%00",
    "/%5cgraphql",
    "/graphql;x",
    "/open;/../graphql",
  ],
  ...[
    "/.well-known/../graphql",
    "/.well-known/jwks.json/../../graphql",
    "/apikeys/.well-known/jwks.json/../../../graphql",
    "/.well-known/jwks.json/..;/graphql",
  ],
];
