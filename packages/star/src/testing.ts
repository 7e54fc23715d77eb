// What torture stands on; nothing that runs for a user imports this.
export { killReplication } from "./replicate/test-kill.ts";
export { tortureReplication } from "./replicate/test-torture.ts";
