/** A DNS label in lower case that starts with a letter: what nodes and services are called. */
export const labelPattern = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What {@link labelPattern} takes, for a message. */
export const labelWords =
  "at most 63 lower-case letters, digits and hyphens, with a letter first and no hyphen last";

/**
 * A trust domain: a DNS name in lower case of two labels or more, short enough to leave room for a name before it.
 */
export const domainPattern =
  /^(?=.{1,200}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;
