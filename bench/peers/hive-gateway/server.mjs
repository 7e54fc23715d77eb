// node server.mjs SUBGRAPHS: Hive Gateway with its Rust query planner, one process, on a port that it prints.
// SUBGRAPHS: JSON, [{ name, url, sdl }].
import { createServer } from "node:http";
import { createGatewayRuntime } from "@graphql-hive/gateway";
import { unifiedGraphHandler } from "@graphql-hive/router-runtime";
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";

const subgraphs = JSON.parse(process.argv[2]);
const composed = composeServices(subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) })));
if (composed.errors !== undefined) throw new AggregateError(composed.errors);

// In its favour: no plugins, no polling, no log, nothing for browsers, no request ids, no look for equal requests
// that are under way, no headers sent on; and its own fetch, because Node's costs it more.
const gateway = createGatewayRuntime({
  supergraph: composed.supergraphSdl,
  unifiedGraphHandler,
  transportEntries: { "*.http": { options: { deduplicateInflightRequests: false } } },
  logging: false,
  requestId: false,
  landingPage: false,
  graphiql: false,
  cors: false,
});
const server = createServer({ keepAliveTimeout: 120_000 }, gateway);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
