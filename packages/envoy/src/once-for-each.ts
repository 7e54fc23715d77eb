/**
 * Finds out once what depends on an object alone: thousands of services are reached by the same few next hops, and each is
 * one object, which nobody changes.
 */
export function onceForEach<K extends object, V>(find: (key: K) => V): (key: K) => V {
  const found = new WeakMap<K, { readonly value: V }>();
  return (key) => {
    let known = found.get(key);
    if (known === undefined) {
      known = { value: find(key) };
      found.set(key, known);
    }
    return known.value;
  };
}
