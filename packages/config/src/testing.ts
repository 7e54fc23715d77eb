/**
 * For tests only: arbitrary configurations made from a schema, and all ways to give them.
 *
 * @example
 * fc.assert(fc.property(layeredConfig(definition), (layered) => {
 *   assert.deepEqual(loadLayered(definition, layered), layered.effective);
 * }));
 */
export { type Arbitraries, configValue } from "./testing/config-value.ts";
export { type LayeredConfig, layeredConfig, loadLayered } from "./testing/layered-config.ts";
