// What torture stands on; nothing that runs for a user imports this.
export { torturePeering } from "./test-torture.ts";
