// What tests of other packages stand on; nothing that runs for a user imports this.
export { seededNumbers } from "./seeded-numbers.ts";
export { createSimulatedDisk, type SimulatedDisk } from "./simulated-disk.ts";
