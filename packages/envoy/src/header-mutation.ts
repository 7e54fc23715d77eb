import type { HeaderMutationSchema } from "@catalyst/xds/api/config/common/mutation_rules/v3/mutation_rules_pb";
import { HeaderValueOption_HeaderAppendAction } from "@catalyst/xds/api/config/core/v3/base_pb";
import type { Init } from "./message.ts";

/** One thing that is done to the headers of a request, or of an answer. */
export type MutationInit = Init<typeof HeaderMutationSchema>;

/** A header by its name, or those whose names begin so. */
export type HeaderPattern = { readonly case: "exact" | "prefix"; readonly value: string };

/** Sets a header in Envoy's words, whatever it was; where those come to nothing it stays as it was. */
export function setting(key: string, value: string): MutationInit {
  const appendAction = HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD;
  return { action: { case: "append", value: { appendAction, header: { key, value } } } };
}

/** Removes all headers that match. */
export function removing(matchPattern: HeaderPattern): MutationInit {
  return { action: { case: "removeOnMatch", value: { keyMatcher: { matchPattern } } } };
}
