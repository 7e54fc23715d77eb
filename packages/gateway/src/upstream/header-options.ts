import { option, z } from "@catalyst/config";
import { labelPattern } from "@catalyst/rpc";

/** Headers of one connection, of one body, and those that the gateway and Envoy set: no rule moves them. */
export const untouchable =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept|accept-encoding|x-request-id|date|server|(?:content|proxy|sec|x-catalyst|x-envoy|x-jwt)-.*|x-forwarded-client-cert)$/;

const headerName = z
  .string()
  .regex(/^[a-z0-9-]+$/, "must be a header name in lower case")
  .refine((name) => !untouchable.test(name), "is set by the gateway or by Envoy");

const selection = {
  name: headerName.optional(),
  prefix: z
    .string()
    .regex(/^[a-z0-9-]+$/, "must be the beginning of a header name in lower case")
    .optional(),
  services: z.array(z.string().regex(labelPattern, "must be the name of a service")).min(1).optional(),
  as: headerName.optional(),
};

const requestRule = z
  .strictObject({
    ...selection,
    value: z
      .string()
      .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
      .optional(),
    remove: z.boolean().optional(),
  })
  .superRefine((rule, context) => {
    requireOneSelector(rule, context);
    const actions = [rule.as !== undefined, rule.value !== undefined, rule.remove === true];
    if (actions.filter(Boolean).length > 1) {
      context.addIssue({ code: "custom", message: "has more than one of `as`, `value` and `remove`" });
    }
    if (rule.prefix !== undefined && rule.value !== undefined) {
      context.addIssue({ code: "custom", path: ["value"], message: "needs a `name`" });
    }
  });

/** How headers of a client's request go on to services. */
export type RequestRule = z.output<typeof requestRule>;

const responseRule = z
  .strictObject({ ...selection, merge: z.enum(["first", "last", "all"]).optional() })
  .superRefine(requireOneSelector);

/** How headers of services' answers go to the client. */
export type ResponseRule = z.output<typeof responseRule>;

type Selector = { readonly name?: string | undefined; readonly prefix?: string | undefined };

function requireOneSelector(
  rule: Selector & { readonly as?: string | undefined },
  context: z.RefinementCtx,
): void {
  if ((rule.name === undefined) === (rule.prefix === undefined)) {
    context.addIssue({ code: "custom", message: "needs either a `name` or a `prefix`" });
  }
  if (rule.prefix !== undefined && rule.as !== undefined) {
    context.addIssue({ code: "custom", path: ["as"], message: "needs a `name`" });
  }
}

/** The section `headers`: which headers travel between clients and services. */
export const headerOptions = z
  .strictObject({
    request: option(z.array(requestRule).default([]), {
      description:
        "Which of a client's headers go on to services besides authorization, x-api-key, accept-language and trace context. Each rule has a `name` or a `prefix`, optionally the `services` that it is for, and at most one of `as` (another name), `value` (a constant) and `remove`; of two rules the later one wins.",
    }),
    response: option(z.array(responseRule).default([]), {
      description:
        "Which headers of services' answers go to the client; none by default. Each rule has a `name` or a `prefix`, optionally `services`, `as`, and `merge`, which says whose value counts when several services send one: `first`, `last` (the default) or `all`. Of set-cookie all are kept.",
    }),
  })
  .prefault({});
export type HeaderOptions = z.output<typeof headerOptions>;
