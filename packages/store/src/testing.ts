// What torture and the tests of other packages stand on; nothing that runs for a user imports this.
export { crashStore } from "./test-crash.ts";
export { killStore } from "./test-kill.ts";
