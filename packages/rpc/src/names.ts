/** A DNS label in lower case that starts with a letter: what nodes and services are called. */
export const labelPattern = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A trust domain: a DNS name in lower case of two labels or more, short enough to leave room for a name before it.
 */
export const domainPattern =
  /^(?=.{1,200}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/;
