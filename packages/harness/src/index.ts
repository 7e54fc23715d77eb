export { FaultProxy } from "./fault-proxy.ts";
export { freePorts } from "./free-ports.ts";
export { getByHost } from "./get-by-host.ts";
/** What tests of the whole node stand on: a real node in real processes, and a load that counts what failed. */
export { Load, type LoadOptions, type Outcome } from "./load.ts";
export { type GraphqlError, NodeUnderTest, type NodeUnderTestOptions } from "./node-under-test.ts";
export { clock, shop } from "./shop.ts";
export { type Subscriber, subscribeBySse, subscribeByWebSocket } from "./subscriber.ts";
export { httpService, plainService, subgraph, type TestService } from "./test-service.ts";
export {
  type LinkConditions,
  seededRandom,
  VirtualHost,
  VirtualNetwork,
  VirtualStream,
} from "./virtual-network.ts";
export { VirtualTime } from "./virtual-time.ts";
